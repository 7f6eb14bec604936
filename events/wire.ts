/**
 * The wire objects of the Managed Agents API that concern a session's log, taken from the official SDK's types:
 * whatever they say is the format. Types only, so workflows may import this file.
 */
import type {
  BetaManagedAgentsDeltaEvent,
  BetaManagedAgentsEventParams,
  BetaManagedAgentsSessionErrorEvent,
  BetaManagedAgentsSessionEvent,
  BetaManagedAgentsSessionStatusIdleEvent,
  BetaManagedAgentsSpanModelUsage,
  BetaManagedAgentsStartEvent,
  BetaManagedAgentsUserMessageEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';
import type { BetaManagedAgentsSession, SessionCreateParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

/** An event as a client reads it from a list or a stream. */
export type SessionEvent = BetaManagedAgentsSessionEvent;
/** One named member of {@link SessionEvent}. */
export type EventOf<T extends SessionEvent['type']> = Extract<SessionEvent, { type: T }>;
/** An event as a client sends it. */
export type EventParams = BetaManagedAgentsEventParams;
/** Stream-only previews; they never enter the log. */
export type PreviewEvent = BetaManagedAgentsStartEvent | BetaManagedAgentsDeltaEvent;
/** A block of a `user.message`. */
export type UserBlock = BetaManagedAgentsUserMessageEvent['content'][number];
/** A block of an `agent.tool_result`. */
export type ResultBlock = NonNullable<EventOf<'agent.tool_result'>['content']>[number];
/** Why a turn ended. */
export type StopReason = BetaManagedAgentsSessionStatusIdleEvent['stop_reason'];
/** Details of a refusal, else null. */
export type StopDetails = BetaManagedAgentsSessionStatusIdleEvent['stop_details'];
/** The body of a `session.error`. */
export type SessionError = BetaManagedAgentsSessionErrorEvent['error'];
/** Token counts of one model request. */
export type ModelUsage = BetaManagedAgentsSpanModelUsage;
/** The session object that the API returns. */
export type Session = BetaManagedAgentsSession;
/** The agent snapshot inside a session: what it runs with. */
export type SessionAgent = Session['agent'];
/** idle, running, rescheduling or terminated. */
export type SessionStatus = Session['status'];
/** The body of `POST /v1/sessions`. */
export type CreateParams = Omit<SessionCreateParams, 'betas' | 'workspace_id'>;
