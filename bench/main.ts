/**
 * `npm run bench [-- --json]`: what a session adds to the model and to Temporal, beside a bare Temporal chain of the
 * same run, on real PostgreSQL, Temporal and gVisor. The model is the rehearsal without delays.
 */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { startTestApi } from '../test/support/api.ts';
import { startStack } from '../test/support/stack.ts';
import { type Figure, figure, table, timed } from './figures.ts';
import { grading, OUTCOME_TURNS } from './outcome.ts';

const stack = await startStack({
  hands: true,
  script: {
    rehearsal: 'Bench',
    turns: [
      ...OUTCOME_TURNS,
      { when: 'tools', steps: [{ repeat: 30, tools: [{ bash: { command: 'true' } }] }, { text: 'Done.' }] },
      { when: 'cold', steps: [{ tools: [{ bash: { command: 'true' } }] }, { text: 'Done.' }] },
    ],
    fallback: { text: 'Yes.' },
  },
});
const api = await startTestApi(stack);
const { client } = api;
const figures: Figure[] = [];
try {
  figures.push(
    ...(await yardstick()),
    ...(await conversation()),
    ...(await work()),
    ...(await grading(stack, client, newSession)),
  );
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures, null, 2));
  else console.log(table(figures));
} finally {
  await api.stop();
  await stack.stop();
}

/** A bare chain of activities and bare updates on the same server. */
async function yardstick(): Promise<Figure[]> {
  const connection = await NativeConnection.connect({ address: stack.temporal.address });
  const worker = await Worker.create({
    connection,
    taskQueue: 'bench',
    workflowsPath: fileURLToPath(new URL('./chain-workflow.ts', import.meta.url)),
    activities: { nothing: async () => undefined },
  });
  const running = worker.run();
  const temporal = stack.temporalClient.workflow;
  const steps = 100;
  const chains = await timed(3, async (i) => {
    await temporal.execute('chain', { workflowId: `chain ${i}`, taskQueue: 'bench', args: [steps] });
  });
  const handle = await temporal.start('updates', { workflowId: 'updates', taskQueue: 'bench' });
  await handle.executeUpdate('touch', { args: [false] });
  const updates = await timed(50, () => handle.executeUpdate('touch', { args: [false] }));
  await handle.executeUpdate('touch', { args: [true] });
  worker.shutdown();
  await running;
  await connection.close();
  return [
    figure(
      'yardstick: one bare Temporal activity step',
      chains.map((ms) => ms / steps),
    ),
    figure('yardstick: one bare Temporal update', updates),
  ];
}

async function newSession(tools: boolean): Promise<string> {
  const agent = await client.beta.agents.create({
    name: 'bench',
    model: 'claude-opus-4-8',
    ...(tools ? { tools: [{ type: 'agent_toolset_20260401' as const }] } : {}),
  });
  const environment = await client.beta.environments.create({ name: 'bench' });
  return (await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
}

/** Sends a text and reads the stream to the idle that ends the turn. */
async function turn(session: string, text: string) {
  const stream = await client.beta.sessions.events.stream(session);
  const sent = Date.now();
  const posted = client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  const seen: { type: string; at: number }[] = [];
  for await (const event of stream) {
    seen.push({ type: event.type, at: Date.now() });
    if (event.type === 'session.status_idle') break;
  }
  await posted;
  const asked = stack.rehearsal.requests.at(-1)?.at ?? Number.NaN;
  return { sent, asked, seen };
}

async function conversation(): Promise<Figure[]> {
  const warm = await newSession(false);
  await turn(warm, 'warm up');
  const toModel: number[] = [];
  const back: number[] = [];
  for (let i = 0; i < 60; i++) {
    const { sent, asked, seen } = await turn(warm, `question ${i}`);
    toModel.push(asked - sent);
    back.push((seen.find(({ type }) => type === 'agent.message')?.at ?? Number.NaN) - asked);
  }
  const fresh: number[] = [];
  for (let i = 0; i < 30; i++) {
    const session = await newSession(false);
    const { sent, asked } = await turn(session, 'first');
    fresh.push(asked - sent);
  }
  const listed = await timed(20, async () => {
    await client.beta.sessions.events.list(warm, { limit: 500 });
  });
  return [
    figure('POST of a message to the model request, warm session', toModel),
    figure('POST of a message to the model request, fresh session', fresh),
    figure('model request to agent.message at an SSE client', back),
    figure('list of 500 events', listed),
  ];
}

async function work(): Promise<Figure[]> {
  const session = await newSession(true);
  await turn(session, 'cold');
  const { seen } = await turn(session, 'tools');
  const results = seen.filter(({ type }) => type === 'agent.tool_result').map(({ at }) => at);
  const rounds = results.slice(1).map((at, i) => at - (results[i] ?? at));
  const cold: number[] = [];
  for (let i = 0; i < 8; i++) {
    const fresh = await newSession(true);
    const { seen: events } = await turn(fresh, 'cold');
    const at = (type: string) => events.find((event) => event.type === type)?.at ?? Number.NaN;
    cold.push(at('agent.tool_result') - at('agent.tool_use'));
  }
  return [
    figure('one tool round: bash `true`, result to result', rounds),
    figure('first tool call of a session: sandbox made, bash `true` run', cold),
  ];
}
