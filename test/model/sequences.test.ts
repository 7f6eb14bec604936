/** Generated sessions, led through a real Longhand: its log is the one that the reducer alone gives. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventParams, SessionAgent } from '../../events/wire.ts';
import { toolPolicies } from '../../harness/tool-policy.ts';
import type { SessionAnswer, SessionOp } from '../../workflows/contract.ts';
import { type DirectSession, startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { canonical, toolUses } from './canonical.ts';
import { type Rehearsed, rehearse } from './rehearse.ts';
import { scenario } from './scenario.ts';

/** `LONGHAND_MODEL_SEED`: others, by commas. */
const SEEDS = (process.env.LONGHAND_MODEL_SEED ?? '1,2,7,9,21,28,30,37,52,54').split(',').map(Number);

const policy = (type: 'always_allow' | 'always_ask' | 'auto', enabled = true) => ({
  enabled,
  permission_policy: { type },
});
const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: policy('always_allow'),
    configs: [
      { name: 'write', ...policy('always_ask') },
      { name: 'edit', ...policy('auto') },
      { name: 'grep', ...policy('always_allow', false) },
    ],
  },
  { type: 'custom', name: 'deploy', description: 'Deploys.', input_schema: { type: 'object' } },
] as unknown as SessionAgent['tools'];

const agent = { name: 'tester', rev: 1, tools: toolPolicies({ tools: TOOLS }) };
const rehearsed = new Map(
  SEEDS.map((seed): [number, Rehearsed] => {
    const [made] = fc.sample(scenario, { seed, numRuns: 1 });
    if (!made) throw new Error('No scenario was made.');
    return [seed, rehearse(made, `${seed}/`, agent)];
  }),
);

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: { rehearsal: 'Generated sessions', turns: [...rehearsed.values()].flatMap((one) => one.turns) },
  });
}, 900_000);
afterAll(() => stack?.stop(), 60_000);

/** The real one was slower than what it was to meet: the sequence was not played. */
class TooLate extends Error {
  override name = 'TooLate';
}

/** The same operation with the ids that this run gave to the tool uses. */
function translated(op: SessionOp, from: string[], to: string[]): SessionOp {
  if (op.op !== 'events') return op;
  const id = (old: string) => to[from.indexOf(old)] ?? old;
  const event = (given: EventParams): EventParams => {
    if (given.type === 'user.tool_confirmation') return { ...given, tool_use_id: id(given.tool_use_id) };
    if (given.type === 'user.custom_tool_result') return { ...given, custom_tool_use_id: id(given.custom_tool_use_id) };
    return given;
  };
  return { op: 'events', events: op.events.map((one) => ({ event: event(one.event) })) };
}

const outcome = (answer: SessionAnswer) => (answer.ok ? answer.events.map((event) => event.seq) : answer.status);

async function lengthened(session: DirectSession, length: number, ms: number) {
  for (const deadline = Date.now() + ms; ; ) {
    const log = await session.entries();
    if (log.length >= length) return log;
    if (Date.now() > deadline)
      throw new Error(`The log stays at ${log.length} of ${length} entries:\n${canonical(log).slice(-6).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function lead({ world }: Rehearsed): Promise<{ log: string[]; answers: unknown[] }> {
  const session = await startDirectSession(stack, { tools: TOOLS, settings: { retryInitialMs: 20 } });
  const answers: unknown[] = [];
  for (const { request, at } of world.asked) {
    const log = await lengthened(session, at, 60_000);
    if (log.length > at) throw new TooLate(`The log has ${log.length} entries where it should have ${at}.`);
    const answer = await session.ask(translated(request.op, toolUses(world.log), toolUses(log)), request.id);
    answers.push(outcome(answer));
    // The same request again, as a client's retry would send it.
    if (answer.ok && request.op.op !== 'archive')
      expect(await session.ask(request.op, request.id).then(outcome)).toEqual(answers.at(-1));
  }
  await lengthened(session, world.log.length, 60_000);
  // What should not come would come now.
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { log: canonical(await session.entries()), answers };
}

async function led(one: Rehearsed, tries = 3): ReturnType<typeof lead> {
  try {
    return await lead(one);
  } catch (error) {
    if (error instanceof TooLate && tries > 1) return led(one, tries - 1);
    throw error;
  }
}

test.concurrent.each(SEEDS)(
  'sequence %i gives the same log in a real session',
  async (seed) => {
    const one = rehearsed.get(seed);
    if (!one) throw new Error('Not rehearsed.');
    const real = await led(one);
    expect(real.answers).toEqual(one.world.asked.map(({ answer }) => outcome(answer)));
    expect(real.log).toEqual(canonical(one.world.log));
  },
  300_000,
);
