/** `longhand/client`: what other services import. Workflows of theirs import `longhand/client/workflow` instead. */

export type { CreateParams, EventParams, Session, SessionEvent, StopReason } from '../events/wire.ts';
export type { AcceptedEvent } from '../workflows/contract.ts';
export type { LogSlice, StartedSession } from '../workflows/service-contract.ts';
export { type ConnectedLonghand, connectLonghand } from './connect-longhand.ts';
export { createLonghand } from './create-longhand.ts';
export { BrainAwayError, SessionRefusedError } from './errors.ts';
export type { Decision, EmitOptions, Longhand, LonghandOptions } from './longhand.ts';
export { SessionClosedError } from './session.ts';
export * from './workflow.ts';
