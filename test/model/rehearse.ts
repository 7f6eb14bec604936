/** Plays a scenario in the world without Temporal, and writes down what the model must say for the real one to follow. */
import { isEventEntry } from '../../events/entry.ts';
import type { RehearsalFile } from '../../rehearsal/rehearsal.ts';
import type { AgentPolicy } from '../../workflows/contract.ts';
import type { Post, Reply, ToolName } from '../../workflows/reducer/model/actions.ts';
import { CANARY } from '../../workflows/reducer/model/answers.ts';
import { createWorld, type World } from '../../workflows/reducer/model/world.ts';
import { busy } from '../../workflows/reducer/step.ts';
import type { Request, Scenario } from './scenario.ts';

type RehearsalTurn = NonNullable<RehearsalFile['turns']>[number];
type Step = RehearsalTurn['steps'][number];

/** How long a held model request or command takes, ms: long enough for what must come in between. */
export const HELD_MS = 5_000;
/** One that is interrupted would last much longer. */
const FOREVER_MS = 100_000;

export interface Rehearsed {
  world: World;
  turns: RehearsalTurn[];
}

/** @param label - unique among the scenarios that one rehearsal plays. */
export function rehearse(scenario: Scenario, label: string, agent: AgentPolicy): Rehearsed {
  const world = createWorld({ agent, label });
  const steps = new Map<string, Step[]>();
  const people = [...scenario.people];

  /** The step of the turn that is open, which is told by its newest message. */
  function say(step: Step): void {
    const key = newestMessage(world);
    steps.set(key, [...(steps.get(key) ?? []), step]);
  }

  function post(...events: Post[]): void {
    world.perform({ do: 'post', events });
  }

  function model({ faults, meanwhile, reply, duringCommand }: Request): void {
    const fail = faults.map((kind) => ({ times: 1, drop: false, status: kind === 'overloaded' ? 529 : 429 }));
    for (const kind of faults) {
      world.perform({ do: 'fail', class: kind, retryAfterMs: 0 });
      const pick = world.outstanding.timers.findIndex((timer) => timer.input.in === 'woke');
      world.perform({ do: 'timer', pick });
    }
    const interrupted = meanwhile === 'interrupt';
    const held = interrupted ? FOREVER_MS : meanwhile ? HELD_MS : 0;
    say({
      ...(fail.length > 0 ? { fail } : {}),
      pace: { first_token_ms: held },
      ...(reply.thinking ? { thinking: 'Hm.' } : {}),
      text: CANARY,
      tools: reply.tools.map((name, i) =>
        toolCall(name, i === reply.tools.indexOf('bash') ? duringCommand : undefined),
      ),
      ...(reply.stop === 'tool_use' || reply.stop === 'end_turn'
        ? {}
        : { stop: reply.stop === 'unknown' ? 'tired' : reply.stop }),
    });
    if (meanwhile === 'title') world.perform({ do: 'update', what: 'title' });
    else if (meanwhile) post(meanwhile === 'message' ? { post: 'message' } : { post: 'interrupt', elsewhere: false });
    world.perform({
      do: 'reply',
      reply: interrupted ? { thinking: false, texts: 0, tools: [], stop: 'interrupted', compactNext: false } : reply,
    });
    if (!duringCommand || ![...world.outstanding.calls.values()].includes('bash')) return;
    post(duringCommand === 'message' ? { post: 'message' } : { post: 'interrupt', elsewhere: false });
  }

  function callEnds(): void {
    const [name] = world.outstanding.calls.values();
    const failed = name === 'edit' || world.state.turn?.phase === 'stopping';
    world.perform({ do: 'finish', pick: 0, how: failed ? 'error' : 'ok' });
  }

  function personActs(): void {
    const [call] = world.state.turn?.calls.filter((one) => one.state === 'ask' || one.state === 'custom') ?? [];
    const target = { among: 'waiting', pick: 0 } as const;
    const next = people.shift();
    if (next) post(...next);
    else if (call?.state === 'custom') post({ post: 'custom', target, isError: false });
    else post({ post: 'confirm', target, allow: true });
  }

  for (const turn of scenario.turns) {
    const requests = [...turn.requests];
    post(...Array.from({ length: turn.messages }, (): Post => ({ post: 'message' })));
    while (busy(world.state) || world.state.turn?.phase === 'waiting') {
      if (world.outstanding.sample) {
        const next = requests.shift();
        if (next) model(next);
        else if (turn.end === 'request_failed') {
          say({ fail: { times: 'always', drop: false, status: 400, message: 'no' }, text: 'never' });
          world.perform({ do: 'fail', class: 'request_failed', retryAfterMs: 0 });
        } else model({ faults: [], reply: last(turn.end) });
      } else if (world.outstanding.calls.size > 0) callEnds();
      else personActs();
    }
  }
  if (scenario.archive) world.perform({ do: 'end', how: 'archive' });
  return { world, turns: [...steps].map(([text, said]) => ({ when: text, steps: said })) };
}

function last(stop: Reply['stop']): Reply {
  return { thinking: false, texts: 1, tools: [], stop, compactNext: false };
}

function newestMessage(world: World): string {
  for (const entry of world.log.toReversed()) {
    if (isEventEntry(entry)) continue;
    const first = world.log[entry.of];
    if (first && isEventEntry(first) && first.event.type === 'user.message') {
      const [block] = first.event.content;
      return block?.type === 'text' ? block.text : '';
    }
  }
  throw new Error('A model request without a message.');
}

function toolCall(name: ToolName, during: Request['duringCommand']): Record<string, unknown> {
  switch (name) {
    case 'bash':
      return { bash: during ? `sleep ${(during === 'interrupt' ? FOREVER_MS : HELD_MS) / 1_000}` : 'true' };
    case 'write':
      return { write: { file_path: 'made', content: 'by a scenario' } };
    case 'edit':
      return { edit: { file_path: 'nowhere', old_string: 'a', new_string: 'b' } };
    default:
      return { name, input: {} };
  }
}
