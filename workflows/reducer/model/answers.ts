/** What model, hands and grader answer in a world of the reducer's tests. */
import { replyEventId } from '../../../events/ids.ts';
import type { SessionEvent } from '../../../events/wire.ts';
import type { ExecuteResult, SampleResult } from '../../contract.ts';
import type { Grade } from '../../grading-contract.ts';
import { USAGE } from '../testing.ts';
import type { Action, CallEnd, Reply, ToolName, Verdict } from './actions.ts';

/** Stands in every content: wherever it shows in the state, content is carried. */
export const CANARY = 'CANARY';

export function graded(verdict: Verdict): Grade {
  if (verdict === 'error') return { kind: 'error', class: 'overloaded', message: CANARY, usage: USAGE };
  if (verdict === 'stopped') return { kind: 'stopped', usage: USAGE };
  return { kind: 'verdict', result: verdict, explanation: CANARY, usage: USAGE };
}

export function failed(action: Extract<Action, { do: 'fail' }>): SampleResult {
  const wait = action.retryAfterMs > 0 ? { retryAfterMs: action.retryAfterMs } : {};
  return { ok: false, class: action.class, message: `${CANARY} ${action.class}`, ...wait };
}

export function outcome(how: Exclude<CallEnd, 'failed' | 'failedStarted'>): ExecuteResult {
  switch (how) {
    case 'ok':
    case 'error':
      return {
        kind: 'finished',
        content: [{ type: 'text', text: CANARY }],
        isError: how === 'error',
        startedAt: '',
        finishedAt: '',
      };
    case 'unknown':
      return { kind: 'unknown', message: 'the worker died' };
    default:
      return { kind: 'lost', started: how === 'lost' ? 'no' : 'maybe', message: 'gone' };
  }
}

/** A reply as `sample` would give it; a request for a summary is answered by one. */
export function replied(thread: string, request: number, compact: boolean, reply: Reply): SampleResult {
  const base = (block: number) => ({ id: replyEventId(thread, request, 1, block), processed_at: '' });
  if (compact) {
    const event: SessionEvent = { ...base(0), type: 'agent.thread_context_compacted' };
    return {
      ok: true,
      events: [{ event, private: { summary: CANARY } }],
      calls: [],
      stop: reply.stop === 'interrupted' ? 'interrupted' : 'compacted',
      usage: USAGE,
    };
  }
  const events: SessionEvent[] = [];
  if (reply.thinking) events.push({ ...base(0), type: 'agent.thinking' });
  for (let i = 0; i < reply.texts; i++) {
    events.push({ ...base(1 + i), type: 'agent.message', content: [{ type: 'text', text: CANARY }] });
  }
  const first = events.length;
  reply.tools.forEach((name, i) => {
    const type = name === 'deploy' ? ('agent.custom_tool_use' as const) : ('agent.tool_use' as const);
    events.push({ ...base(10 + i), type, name, input: inputOf(name) });
  });
  return {
    ok: true,
    events: events.map((event) => ({ event })),
    calls: reply.tools.map((name, i) => ({ event: first + i, summary: name })),
    stop: reply.stop,
    ...(reply.stop === 'unknown' ? { stopRaw: 'tired' } : {}),
    ...(reply.stop === 'refusal' ? { stopDetails: { type: 'refusal', category: null, explanation: null } } : {}),
    usage: USAGE,
    ...(reply.compactNext ? { compactNext: true } : {}),
  };
}

function inputOf(name: ToolName): Record<string, unknown> {
  return { command: `INPUT ${name}` };
}
