/**
 * Sessions that a real Longhand can be led through step by step: like those of `workflows/reducer/model/`, but whatever
 * can go on by itself does, except where a model request or a command is held for something to come in between.
 */
import fc from 'fast-check';
import type { Post, Reply, Stop, ToolName } from '../../workflows/reducer/model/actions.ts';

/** One model request: what fails first, what comes in while it is out, what it says. */
export interface Request {
  faults: ('overloaded' | 'rate_limited')[];
  /** Posted while the model thinks. */
  meanwhile?: 'message' | 'interrupt' | 'title';
  reply: Reply;
  /** Posted while the first command of the reply runs. */
  duringCommand?: 'message' | 'interrupt';
}

export interface Scenario {
  turns: { messages: number; requests: Request[]; end: 'end_turn' | 'refusal' | 'unknown' | 'request_failed' }[];
  /** What people send whenever calls wait for them, one request after the other; then they allow everything. */
  people: Post[][];
  archive: boolean;
}

const rarely = <T>(...values: T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...values) });

const tools = fc.array(fc.constantFrom<ToolName>('bash', 'bash', 'write', 'edit', 'grep', 'deploy', 'teleport'), {
  minLength: 1,
  maxLength: 3,
});

const request: fc.Arbitrary<Request> = fc
  .record({
    faults: fc.array(fc.constantFrom('overloaded' as const, 'rate_limited' as const), { maxLength: 1 }),
    meanwhile: rarely('message' as const, 'interrupt' as const, 'title' as const),
    duringCommand: rarely('message' as const, 'interrupt' as const),
    thinking: fc.boolean(),
    tools,
    stop: fc.constantFrom<Stop>('tool_use', 'tool_use', 'tool_use', 'max_tokens'),
  })
  .map(({ faults, meanwhile, duringCommand, ...reply }) => ({
    faults,
    ...(meanwhile ? { meanwhile } : {}),
    ...(duringCommand ? { duringCommand } : {}),
    reply: { ...reply, texts: 1, compactNext: false },
  }));

const waiting = (pick: number) => ({ among: 'waiting' as const, pick });
const person: fc.Arbitrary<Post> = fc.oneof(
  fc.record({ post: fc.constant('confirm' as const), target: fc.nat(3).map(waiting), allow: fc.boolean() }),
  fc.record({ post: fc.constant('custom' as const), target: fc.nat(3).map(waiting), isError: fc.boolean() }),
  fc.constantFrom<Post>(
    { post: 'message' },
    { post: 'system' },
    { post: 'interrupt', elsewhere: false },
    { post: 'confirm', target: { among: 'unknown', pick: 0 }, allow: true },
    { post: 'confirm', target: { among: 'all', pick: 0 }, allow: true },
    { post: 'custom', target: { among: 'all', pick: 1 }, isError: false },
  ),
);

const people: fc.Arbitrary<Post[]> = fc.oneof(
  { weight: 4, arbitrary: person.map((one) => [one]) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Post[]>(
      [{ post: 'custom', target: waiting(0), isError: false }, { post: 'system' }],
      [{ post: 'custom', target: waiting(1), isError: false }, { post: 'system' }],
      [{ post: 'interrupt', elsewhere: false }, { post: 'message' }],
      [
        { post: 'confirm', target: waiting(0), allow: true },
        { post: 'confirm', target: waiting(1), allow: false },
      ],
    ),
  },
);

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  turns: fc.array(
    fc.record({
      messages: fc.integer({ min: 1, max: 2 }),
      requests: fc.array(request, { maxLength: 2 }),
      end: fc.constantFrom(
        'end_turn' as const,
        'end_turn' as const,
        'refusal' as const,
        'unknown' as const,
        'request_failed' as const,
      ),
    }),
    { minLength: 2, maxLength: 3 },
  ),
  people: fc.array(people, { maxLength: 6 }),
  archive: fc.boolean(),
});
