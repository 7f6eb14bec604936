/**
 * What can happen to a session, as small symbolic actions that fast-check can make and shrink. An action that does not
 * fit the moment (a reply when no request is out) does nothing, so every sequence can be played.
 */
import fc from 'fast-check';
import type { FailureClass, SampleResult } from '../../contract.ts';

export type ToolName = 'bash' | 'read' | 'write' | 'edit' | 'grep' | 'deploy' | 'teleport' | '__proto__';
export type Stop = Extract<SampleResult, { ok: true }>['stop'];

export interface Reply {
  thinking: boolean;
  texts: number;
  tools: ToolName[];
  stop: Stop;
  compactNext: boolean;
}

/** Which tool use a post answers: one that waits, any there has ever been, or one that never was. */
export interface Target {
  among: 'waiting' | 'all' | 'unknown';
  pick: number;
}

export type Post =
  | { post: 'message' }
  | { post: 'system' }
  | { post: 'interrupt'; elsewhere: boolean }
  | { post: 'confirm'; target: Target; allow: boolean }
  | { post: 'custom'; target: Target; isError: boolean }
  | { post: 'outcome'; iterations: number | null }
  | { post: 'unsupported' };

export type CallEnd =
  | 'ok'
  | 'error'
  | 'lost'
  | 'lostMaybe'
  | 'lostOfOlderSandbox'
  | 'unknown'
  | 'failed'
  | 'failedStarted';

export type Verdict = 'satisfied' | 'needs_revision' | 'failed' | 'error' | 'stopped';

export type Action =
  | { do: 'post'; events: Post[] }
  /** A request that was answered comes again under its id. */
  | { do: 'repeat'; pick: number }
  | { do: 'update'; what: 'title' | 'agent' | 'oldAgent' }
  | { do: 'sandbox' }
  | { do: 'end'; how: 'archive' | 'delete' }
  | { do: 'reply'; reply: Reply }
  | { do: 'fail'; class: FailureClass; retryAfterMs: number }
  | { do: 'finish'; pick: number; how: CallEnd }
  | { do: 'provisioned' }
  | { do: 'saved'; whole: boolean }
  | { do: 'released' }
  | { do: 'grade'; pick: number; verdict: Verdict }
  /** Time for a sign of life of what is being graded. */
  | { do: 'sign' }
  | { do: 'collected'; problems: boolean }
  /** The workflow is gone, with all that it had under way; the session is woken from its log. */
  | { do: 'lose' }
  /** The next timer goes off, or one that is due later. */
  | { do: 'timer'; pick: number }
  /** Something that was delivered before is delivered again. */
  | { do: 'again'; pick: number }
  /** Continue-as-new, where the shell would do it. */
  | { do: 'carry' }
  | { do: 'wait'; ms: number };

const pick = fc.nat({ max: 30 });
const target: fc.Arbitrary<Target> = fc.record({
  among: fc.oneof(
    { weight: 8, arbitrary: fc.constant('waiting' as const) },
    { weight: 2, arbitrary: fc.constant('all' as const) },
    { weight: 1, arbitrary: fc.constant('unknown' as const) },
  ),
  pick,
});

const event: fc.Arbitrary<Post> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ post: 'message' as const }) },
  { weight: 2, arbitrary: fc.constant({ post: 'system' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      post: fc.constant('interrupt' as const),
      elsewhere: fc.nat({ max: 9 }).map((one) => one === 9),
    }),
  },
  { weight: 6, arbitrary: fc.record({ post: fc.constant('confirm' as const), target, allow: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ post: fc.constant('custom' as const), target, isError: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ post: fc.constant('outcome' as const), iterations: fc.constantFrom(null, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.constant({ post: 'unsupported' as const }) },
);

const tool = fc.constantFrom<ToolName>('bash', 'read', 'write', 'edit', 'grep', 'deploy', 'teleport', '__proto__');

const reply: fc.Arbitrary<Reply> = fc.record({
  thinking: fc.boolean(),
  texts: fc.nat({ max: 2 }),
  tools: fc.oneof(
    { weight: 12, arbitrary: fc.array(tool, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(tool, { minLength: 17, maxLength: 24 }) },
  ),
  stop: fc.oneof(
    { weight: 8, arbitrary: fc.constant('tool_use' as const) },
    {
      weight: 5,
      arbitrary: fc.constantFrom<Stop>('end_turn', 'pause_turn', 'max_tokens', 'refusal', 'interrupted', 'unknown'),
    },
  ),
  compactNext: fc.nat({ max: 5 }).map((one) => one === 5),
});

const failure = fc.constantFrom<FailureClass>(
  'overloaded',
  'rate_limited',
  'connection',
  'crashed',
  'request_failed',
  'authentication',
  'billing',
  'harness',
  'too_long',
  'too_long',
);

const callEnd = fc.oneof(
  { weight: 6, arbitrary: fc.constant('ok' as const) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<CallEnd>(
      'error',
      'lost',
      'lostMaybe',
      'lostOfOlderSandbox',
      'unknown',
      'failed',
      'failedStarted',
    ),
  },
);

export const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 50,
    arbitrary: fc.record({
      do: fc.constant('post' as const),
      events: fc.array(event, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('repeat' as const), pick }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      what: fc.constantFrom('title', 'agent', 'oldAgent'),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ do: 'sandbox' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('end' as const), how: fc.constantFrom('archive', 'delete') }),
  },
  { weight: 60, arbitrary: fc.record({ do: fc.constant('reply' as const), reply }) },
  {
    weight: 15,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      class: failure,
      retryAfterMs: fc.constantFrom(0, 0, 90_000),
    }),
  },
  { weight: 60, arbitrary: fc.record({ do: fc.constant('finish' as const), pick, how: callEnd }) },
  { weight: 10, arbitrary: fc.constant({ do: 'provisioned' as const }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('saved' as const), whole: fc.boolean() }) },
  { weight: 5, arbitrary: fc.constant({ do: 'released' as const }) },
  {
    weight: 25,
    arbitrary: fc.record({
      do: fc.constant('grade' as const),
      pick,
      verdict: fc.constantFrom<Verdict>('satisfied', 'needs_revision', 'needs_revision', 'failed', 'error', 'stopped'),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ do: 'sign' as const }) },
  {
    weight: 15,
    arbitrary: fc.record({
      do: fc.constant('collected' as const),
      problems: fc.nat({ max: 5 }).map((one) => one === 5),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ do: 'lose' as const }) },
  { weight: 30, arbitrary: fc.record({ do: fc.constant('timer' as const), pick }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('again' as const), pick }) },
  { weight: 10, arbitrary: fc.constant({ do: 'carry' as const }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 7, 5_000, 700_000) }),
  },
);

/** A whole session. */
export const actions: fc.Arbitrary<Action[]> = fc.array(action, { maxLength: 60, size: 'max' });
