/** Sessions without the api: straight over the client, as another service would. For tests of the workflow itself. */
import { randomBytes } from 'node:crypto';
import { type EventEntry, isEventEntry, type LogEntry } from '../../events/entry.ts';
import { newObjectId, primaryThreadId } from '../../events/ids.ts';
import type { EventOf, EventParams, SessionAgent, SessionEvent } from '../../events/wire.ts';
import { toolPolicies } from '../../harness/tool-policy.ts';
import {
  DEFAULT_HARNESS,
  DEFAULT_SESSION_SETTINGS,
  HANDS_QUEUE,
  type SessionAnswer,
  type SessionOp,
  type SessionSettings,
} from '../../workflows/contract.ts';
import type { Stack } from './stack.ts';

export interface DirectSession {
  id: string;
  thread: string;
  ask(op: SessionOp, requestId?: string): Promise<SessionAnswer>;
  send(...events: EventParams[]): Promise<SessionAnswer>;
  say(text: string): Promise<SessionAnswer>;
  /** The stored log from `from` on. */
  entries(from?: number): Promise<LogEntry[]>;
  events(): Promise<SessionEvent[]>;
  /** Waits until an entry at or after `from` matches; throws with the log's tail after `ms`. */
  until(matches: (event: SessionEvent) => boolean, options?: { from?: number; ms?: number }): Promise<EventEntry>;
  /** Sends a text and waits for the idle that ends its turn. */
  turn(text: string, ms?: number): Promise<EventOf<'session.status_idle'>>;
}

export async function startDirectSession(
  stack: Stack,
  options: { tools?: SessionAgent['tools']; settings?: Partial<SessionSettings>; model?: string; system?: string } = {},
): Promise<DirectSession> {
  const id = newObjectId('sesn', Date.now(), () => randomBytes(4).readUInt32BE() / 2 ** 32);
  const thread = primaryThreadId(id);
  const agent: SessionAgent = {
    id: 'agent_test',
    type: 'agent',
    version: 1,
    name: 'tester',
    description: null,
    system: options.system ?? null,
    model: { id: options.model ?? 'claude-opus-4-8' },
    tools: options.tools ?? [],
    mcp_servers: [],
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
  };
  await stack.database.pool.query('insert into session_agents (session_id, rev, body) values ($1, 1, $2)', [
    id,
    JSON.stringify(agent),
  ]);
  await stack.sessions.start({
    v: 1,
    session: id,
    workspace: 'wrkspc_test',
    thread,
    agent: { name: agent.name, rev: 1, tools: toolPolicies(agent) },
    harness: DEFAULT_HARNESS,
    settings: { ...DEFAULT_SESSION_SETTINGS, ...options.settings },
    handsQueue: HANDS_QUEUE,
  });
  let requests = 0;

  const session: DirectSession = {
    id,
    thread,
    ask: (op, requestId = `request ${++requests}`) => stack.sessions.post(id, requestId, op),
    send: (...events) => session.ask({ op: 'events', events: events.map((event) => ({ event })) }),
    say: (text) => session.send({ type: 'user.message', content: [{ type: 'text', text }] }),
    async entries(from = 0) {
      const all: LogEntry[] = [];
      for (;;) {
        const page = await stack.log.read(id, thread, from + all.length);
        all.push(...page);
        if (page.length === 0) return all;
      }
    },
    async events() {
      return (await session.entries()).flatMap((entry) => (isEventEntry(entry) ? [entry.event] : []));
    },
    async until(matches, { from = 0, ms = 20_000 } = {}) {
      const deadline = Date.now() + ms;
      let next = from;
      const seen: LogEntry[] = [];
      while (Date.now() < deadline) {
        const page = await stack.log.read(id, thread, next);
        for (const entry of page) {
          next = entry.seq + 1;
          seen.push(entry);
          if (isEventEntry(entry) && matches(entry.event)) return entry;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const tail = seen.slice(-12).map((entry) => JSON.stringify(entry).slice(0, 300));
      throw new Error(`Not seen within ${ms} ms. The log ends so:\n${tail.join('\n')}`);
    },
    async turn(text, ms) {
      const answer = await session.say(text);
      if (!answer.ok) throw new Error(answer.message);
      const from = answer.events[0]?.seq ?? 0;
      const idle = await session.until((event) => event.type === 'session.status_idle', {
        from,
        ...(ms ? { ms } : {}),
      });
      return idle.event as EventOf<'session.status_idle'>;
    },
  };
  return session;
}
