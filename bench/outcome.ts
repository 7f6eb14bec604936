/** What one grading round adds to the requests of agent and grader. */
import { outcome as define, GRADER, grades, verdict } from '../test/support/outcomes.ts';
import { type Figure, figure } from './figures.ts';
import type { Bench } from './subject.ts';

const ROUNDS = 20;
const NO = verdict('needs_revision', { '1. good': false }, 'Once more, please.');

/** Lines for the bench's script; before those of the agent. */
export const OUTCOME_TURNS = [
  grades('look first', { tools: [{ bash: { command: 'ls' } }] }, { tools: [NO] }),
  { when: { system: GRADER }, steps: [{ tools: [NO] }] },
  { when: 'no further evaluation', steps: [{ text: 'Over.' }] },
  { when: 'Once more, please', steps: [{ text: 'More.' }] },
  { when: 'words alone', steps: [{ text: 'Words.' }] },
  {
    when: 'with files',
    steps: [{ tools: [{ bash: { command: 'echo done > /mnt/session/outputs/a.txt' } }] }, { text: 'Done.' }],
  },
  {
    when: 'to look at',
    steps: [{ tools: [{ bash: { command: 'echo look first > /mnt/session/outputs/a.txt' } }] }, { text: 'Done.' }],
  },
];

export async function outcome(bench: Bench): Promise<Figure[]> {
  const { stack, client, newSession } = await bench.world();
  const requests = () => stack.rehearsal.requests;
  const isGrader = (body: unknown) => JSON.stringify(Reflect.get(Object(body), 'system') ?? '').includes(GRADER);

  /** Rounds of a session: from the agent's last request to its next one, less what the requests took. */
  async function rounds(description: string, tools: boolean, most: number): Promise<number[]> {
    const session = await newSession(tools);
    const from = requests().length;
    const stream = await client.beta.sessions.events.stream(session);
    const events = [define(description, 'good', { max_iterations: most })];
    await client.beta.sessions.events.send(session, { events });
    for await (const event of stream) if (event.type === 'session.status_idle') break;
    const asked = requests().slice(from);
    const samples: number[] = [];
    asked.forEach(({ body, at }, index) => {
      const next = asked.slice(index).findIndex((one) => !isGrader(one.body));
      const before = asked[index - 1];
      // The first request to the grader in its round, between the agent's last and its next.
      if (!isGrader(body) || !before || isGrader(before.body) || next === -1) return;
      samples.push((asked[index + next]?.at ?? at) - before.at);
    });
    return samples;
  }

  const words = await rounds('words alone', false, ROUNDS);
  const files = await rounds('with files', true, ROUNDS);
  const looks: number[] = [];
  for (let i = 0; i < 4; i++) looks.push(...(await rounds('to look at', true, 2)));
  return [
    figure('a grading round, agent’s request to agent’s request, nothing but words', words, [
      { of: 'p50', atMost: 150 },
    ]),
    figure('a grading round with files, checkpoint included, no look into them', files),
    figure('a grading round in which the grader opens its sandbox', looks, [{ of: 'p50', atMost: 2_000 }]),
  ];
}
