/** Everything that Temporal's bundler puts into the workflow sandbox. */
export { files } from './files.ts';
export { session } from './session.ts';
