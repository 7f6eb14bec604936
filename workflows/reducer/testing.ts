/** A session without Temporal, for tests of the reducer. */
import { expect } from 'vitest';
import { isEventEntry, type LogEntry } from '../../events/entry.ts';
import type { EventParams } from '../../events/wire.ts';
import {
  type AgentPolicy,
  DEFAULT_SESSION_SETTINGS,
  type ExecuteResult,
  type SampleResult,
  type SessionAnswer,
  type SessionOp,
  type SessionSettings,
} from '../contract.ts';
import { initialState } from '../state.ts';
import type { Command } from './draft.ts';
import { type StepInput, step } from './step.ts';

/** One tool of each policy. */
export const AGENT: AgentPolicy = {
  name: 'worker',
  rev: 1,
  tools: {
    bash: { kind: 'builtin', enabled: true, policy: 'always_allow' },
    read: { kind: 'builtin', enabled: true, policy: 'always_allow' },
    write: { kind: 'builtin', enabled: true, policy: 'always_ask' },
    edit: { kind: 'builtin', enabled: true, policy: 'auto' },
    grep: { kind: 'builtin', enabled: false, policy: 'always_allow' },
    deploy: { kind: 'custom', enabled: true },
  },
};
export const SETTINGS = DEFAULT_SESSION_SETTINGS;
export const USAGE = { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

/** A session without Temporal: feeds inputs to `step`, keeps the log and the commands that are still open. */
export function startSession(settings: SessionSettings = DEFAULT_SESSION_SETTINGS) {
  let state = initialState(
    {
      v: 1,
      session: 'sesn_1',
      workspace: 'w',
      thread: 'sthr_1',
      agent: AGENT,
      harness: 'default@1',
      settings,
      handsQueue: 'hands',
    },
    1_000,
  );
  let now = 1_000;
  let requests = 0;
  const log: LogEntry[] = [];
  let commands: Command[] = [];
  const session = {
    log,
    get state() {
      return state;
    },
    feed(input: StepInput): SessionAnswer | undefined {
      now += 10;
      const before = JSON.stringify(state);
      const result = step(state, input, settings, now);
      expect(JSON.stringify(state)).toBe(before);
      state = result.state;
      log.push(...result.entries);
      commands = result.commands;
      expect(log.map((entry) => entry.seq)).toEqual(log.map((_, index) => index));
      return result.answer;
    },
    ask(op: SessionOp, id = `request ${++requests}`) {
      return session.feed({ in: 'request', request: { id, op } });
    },
    send(...events: EventParams[]) {
      return session.ask({ op: 'events', events: events.map((event) => ({ event })) });
    },
    reply(partial: Partial<Extract<SampleResult, { ok: true }>>) {
      const result = { ok: true as const, events: [], calls: [], stop: 'end_turn' as const, usage: USAGE, ...partial };
      return session.feed({ in: 'sampled', request: state.request, result });
    },
    /** A reply that uses tools, by name. */
    use(...names: string[]) {
      const type = (name: string) =>
        name === 'deploy' ? ('agent.custom_tool_use' as const) : ('agent.tool_use' as const);
      return session.reply({
        stop: 'tool_use',
        events: names.map((name, i) => ({
          event: {
            type: type(name),
            id: `use_${state.request}_${i}`,
            name,
            input: { command: name },
            processed_at: '',
          },
        })),
        calls: names.map((name, event) => ({ event, summary: name })),
      });
    },
    finish(call: string, text = 'done') {
      const result: ExecuteResult = {
        kind: 'finished',
        content: [{ type: 'text', text }],
        isError: false,
        startedAt: '',
        finishedAt: '',
      };
      return session.feed({ in: 'executed', call, result, generation: 1 });
    },
    /** The commands of the last step. */
    get commands() {
      return commands;
    },
    types: () => log.map((entry) => (isEventEntry(entry) ? entry.event.type : `processed ${entry.of}`)),
    last: () => {
      const entry = log.at(-1);
      return entry && isEventEntry(entry) ? entry.event : undefined;
    },
    results: () =>
      log.flatMap((entry) => (isEventEntry(entry) && entry.event.type === 'agent.tool_result' ? [entry.event] : [])),
  };
  return session;
}

/** A message of one text. */
export const message = (text: string): EventParams => ({ type: 'user.message', content: [{ type: 'text', text }] });
