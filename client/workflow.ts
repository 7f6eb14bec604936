/**
 * For workflows of other services: names and types of Longhand's workflows, so that a session can be a step of theirs.
 * Nothing here pulls anything into the workflow sandbox.
 *
 * @example
 * import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
 * import { LONGHAND_QUEUE, RUN_SESSION, type RunSession } from 'longhand/client/workflow';
 *
 * const { text } = await executeChild<RunSession>(RUN_SESSION, {
 *   taskQueue: LONGHAND_QUEUE,
 *   parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL, // interrupts the session
 *   args: [{
 *     session: {
 *       agent: 'agent_01K9…',
 *       environment_id: 'env_01K9…',
 *       initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'Check invoice 17.' }] }],
 *     },
 *   }],
 * });
 */
export { BRAIN_QUEUE as LONGHAND_QUEUE } from '../workflows/contract.ts';
export {
  AWAIT_SESSION,
  type AwaitSession,
  type AwaitSessionInput,
  REFUSED as SESSION_REFUSED,
  type Refused,
  RUN_SESSION,
  type RunSession,
  type RunSessionInput,
  type RunSessionResult,
} from '../workflows/service-contract.ts';
