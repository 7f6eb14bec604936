/**
 * A Longhand to measure: every part a process of its own, on a PostgreSQL that syncs to disk, a Temporal dev server and
 * gVisor. This process is the client and the model.
 */
import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { sessionWorkflowId } from '../events/ids.ts';
import type { SessionEvent } from '../events/wire.ts';
import type { RequestRecord } from '../rehearsal/rehearsal.ts';
import { type Stack, startStack } from '../test/support/stack.ts';
import { startWorkerProcess } from '../test/support/worker-process.ts';
import { OUTCOME_TURNS } from './outcome.ts';
import { cpuMs, partPids, sandboxPids } from './processes.ts';

const TURNS = [
  ...OUTCOME_TURNS,
  { when: 'many rounds', steps: [{ repeat: 1_000, tools: [{ bash: 'true' }] }, { text: 'Done.' }] },
  { when: 'twenty rounds', steps: [{ repeat: 20, tools: [{ bash: 'true' }] }, { text: 'Done.' }] },
  { when: 'one round', steps: [{ tools: [{ bash: 'true' }] }, { text: 'Done.' }] },
  { when: 'long command', steps: [{ tools: [{ bash: 'sleep 600' }] }, { text: 'Done.' }] },
  { when: 'slow words', steps: [{ text: 'word '.repeat(12), pace: { chunk_ms: 40, chunk_chars: 5 } }] },
  { when: 'long thought', steps: [{ text: 'word '.repeat(2_000), pace: { chunk_ms: 200, chunk_chars: 5 } }] },
];

export interface Seen {
  type: string;
  /** ms since the epoch. */
  at: number;
}

/** One turn, from the outside. */
export interface TurnSeen {
  /** When the post was sent, ms since the epoch. */
  sent: number;
  events: Seen[];
  /** What the model was asked meanwhile (by any session). */
  requests: RequestRecord[];
}

export interface World {
  stack: Stack;
  client: Anthropic;
  newSession(tools?: boolean): Promise<string>;
  say(session: string, text: string): Promise<unknown>;
  interrupt(session: string): Promise<unknown>;
  /** Follows the stream; `stop` ends it. Resolves once it is open. */
  watch(session: string): Promise<{ events: Seen[]; stop(): void; until(type: string, from?: number): Promise<Seen> }>;
  /** Sends a text and reads the stream to the idle that ends the turn. */
  turn(session: string, text: string): Promise<TurnSeen>;
  /** History of the session's current run. */
  history(session: string): Promise<{ run: string; events: number; bytes: number }>;
  /** Processor time so far by part, ms. */
  cpu(): Record<string, number>;
  stop(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const stack = await startStack({
    hands: true,
    durable: true,
    script: { rehearsal: 'Bench', turns: TURNS, fallback: { text: 'Yes.' } },
  });
  const apiKey = `lh-${randomBytes(24).toString('base64url')}`;
  const api = await startWorkerProcess('api', { ...stack.env.api, LONGHAND_API_KEY: apiKey });
  const port = api.lines.map((line) => /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]).find(Boolean);
  const client = new Anthropic({ baseURL: `http://127.0.0.1:${port}`, apiKey });
  const { events } = client.beta.sessions;
  const environment = await client.beta.environments.create({ name: 'bench' });

  const world: World = {
    stack,
    client,
    async newSession(tools = false) {
      const agent = await client.beta.agents.create({
        name: 'bench',
        model: 'claude-opus-4-8',
        ...(tools ? { tools: [{ type: 'agent_toolset_20260401' as const }] } : {}),
      });
      return (await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
    },
    say: (session, text) =>
      events.send(session, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] }),
    interrupt: (session) => events.send(session, { events: [{ type: 'user.interrupt' }] }),
    async watch(session) {
      const seen: Seen[] = [];
      const stream = await events.stream(session, { event_deltas: ['agent.message'] });
      let changed = Promise.withResolvers<void>();
      const follow = async () => {
        for await (const { type } of stream as AsyncIterable<{ type: SessionEvent['type'] }>) {
          seen.push({ type, at: Date.now() });
          changed.resolve();
          changed = Promise.withResolvers();
        }
      };
      follow().catch(() => undefined);
      return {
        events: seen,
        stop: () => stream.controller.abort(),
        async until(type, from = 0) {
          for (;;) {
            const found = seen.find((event, index) => index >= from && event.type === type);
            if (found) return found;
            await changed.promise;
          }
        },
      };
    },
    async turn(session, text) {
      const stream = await world.watch(session);
      const before = stack.rehearsal.requests.at(-1);
      const sent = Date.now();
      await Promise.all([world.say(session, text), stream.until('session.status_idle')]);
      stream.stop();
      const all = stack.rehearsal.requests;
      return { sent, events: stream.events, requests: all.slice(before ? all.indexOf(before) + 1 : 0) };
    },
    async history(session) {
      const description = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session)).describe();
      return { run: description.runId, events: description.historyLength, bytes: description.historySize ?? 0 };
    },
    cpu() {
      const parts = Object.entries(partPids(process.pid)).map(([part, pids]) => [part, cpuMs(pids)] as const);
      return { ...Object.fromEntries(parts), sandboxes: cpuMs(sandboxPids(stack.home)) };
    },
    async stop() {
      await api.stop();
      await stack.stop();
    },
  };
  return world;
}

/** Differences of two readings of {@link World.cpu}, each divided by `by`. */
export function cpuPer(before: Record<string, number>, after: Record<string, number>, by: number) {
  return Object.entries(after).map(([part, ms]) => ({ part, ms: (ms - (before[part] ?? 0)) / by }));
}
