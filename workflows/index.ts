/** Everything that Temporal's bundler puts into the workflow sandbox. */
export { session } from './session.ts';
