/** Shows a session's events as they come, for a person or as JSON lines. */
import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsStreamSessionEvents as StreamEvent } from '@anthropic-ai/sdk/resources/beta/sessions';
import { type CommandContext, CommandError, EXIT } from './context.ts';
import { type EventSourceOptions, openEvents } from './event-source.ts';
import type { PendingCall } from './pending.ts';
import { createQuiet, exitCodeOf, type Quiet } from './quiet.ts';
import { createScreen } from './screen.ts';
import { eventShower } from './show-event.ts';
import { localClock, localDay } from './table.ts';

/**
 * @param calls - made before the first event that is shown.
 * @returns a function that shows one event: a line of JSON, or text with the event's own time beside it.
 */
export function eventPrinter(
  { out, env }: CommandContext,
  json: boolean,
  calls: PendingCall[] = [],
): (event: StreamEvent) => void {
  if (json) return (event) => out.write(`${JSON.stringify(event)}\n`);
  let at = new Date().toISOString();
  let day = localDay(at);
  const screen = createScreen(out, env, () => localClock(at));
  const show = eventShower(screen, { everything: true, calls });
  return (event) => {
    at = ('processed_at' in event && event.processed_at) || new Date().toISOString();
    if (localDay(at) !== day) {
      day = localDay(at);
      screen.line('', day, 'dim');
    }
    show(event);
  };
}

/** How the following of a session goes, but for what is shown. */
export function sourceOptions(context: CommandContext, json: boolean): Omit<EventSourceOptions, 'from'> {
  return {
    previews: !json,
    signal: context.interruption(),
    onNote: (line) => context.err.write(`${line}\n`),
  };
}

/** The newest event of the log, if it has one. */
export async function newestEvent(api: Anthropic, sessionId: string): Promise<string | undefined> {
  const page = await api.beta.sessions.events.list(sessionId, { order: 'desc', limit: 1 });
  return page.data[0]?.id;
}

/**
 * Sends events, and shows what the session does until it is idle again.
 * @param send - sends, and resolves to the ids of what was sent.
 * @param calls - made before. @returns the exit code
 */
export async function sendAndFollow(
  context: CommandContext,
  api: Anthropic,
  sessionId: string,
  json: boolean,
  send: () => Promise<string[]>,
  calls: PendingCall[] = [],
): Promise<number> {
  const newest = await newestEvent(api, sessionId);
  const options = { ...sourceOptions(context, json), from: 'now' as const, newest };
  // Listening first: nothing that follows from what is sent can be missed.
  const events = await openEvents(api, sessionId, options);
  const quiet = createQuiet(await send(), true);
  return await showUntilQuiet(context, events, eventPrinter(context, json, calls), quiet);
}

/** @returns the exit code. @throws CommandError when the session ends before it is quiet. */
export async function showUntilQuiet(
  context: CommandContext,
  events: AsyncIterable<StreamEvent>,
  show: (event: StreamEvent) => void,
  quiet: Quiet,
): Promise<number> {
  for await (const event of events) {
    show(event);
    if (quiet.after(event)) return exitCodeOf(quiet.reason);
  }
  if (context.interruption().aborted) return EXIT.interrupted;
  throw new CommandError('The session ended before it was idle.');
}
