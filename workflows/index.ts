/** Everything that Temporal's bundler puts into the workflow sandbox. */
export { files } from './files.ts';
export { grading } from './grading.ts';
export { keepSandboxes } from './sandbox-upkeep.ts';
export {
  awaitSession,
  getEvents,
  getPart,
  getSession,
  prepareEvents,
  runSession,
  startSession,
  wake,
} from './service.ts';
export { session } from './session.ts';
