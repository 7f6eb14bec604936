/** Targets, from an environment's metadata to the sandbox: limits, queues, and what the hands do not offer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConnectedLonghand, connectLonghand } from '../../client/index.ts';
import { sessionWorkflowId } from '../../events/ids.ts';
import { sessionDefaults } from '../../workers/session-defaults.ts';
import { readSettings } from '../../workers/settings.ts';
import { loadTargets } from '../../workers/targets-file.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { releaseSandboxes, type Stack, startStack } from '../support/stack.ts';
import { startWorkerProcess } from '../support/worker-process.ts';

const FILE = `
default: { limits: { pids: 300 } }
small: { limits: { pids: 200, memory: 512Mi } }
elsewhere: { queue: hands.elsewhere, limits: { pids: 100 } }
`;

let folder: string;
let stack: Stack;
let api: TestApi;
let longhand: ConnectedLonghand;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-targets-'));
  const file = join(folder, 'targets.yaml');
  await writeFile(file, FILE);
  stack = await startStack({
    hands: true,
    env: { LONGHAND_TARGETS: file },
    script: {
      rehearsal: 'Targets',
      turns: [{ when: 'look', steps: [{ tools: [{ bash: 'ulimit -u' }] }, { text: 'Looked.' }] }],
      fallback: { text: 'Yes.' },
    },
  });
  const { targets } = sessionDefaults(readSettings({}), await loadTargets(file));
  // As of an API whose file is newer than that of the hands.
  const offered = new Map([...(targets ?? []), ['newer', { handsQueue: 'hands', images: [] }]]);
  api = await startTestApi(stack, { settings: { targets: offered } });
  longhand = await connectLonghand({ temporal: { overrideEnvVars: { TEMPORAL_ADDRESS: stack.temporal.address } } });
}, 900_000);
afterAll(async () => {
  await longhand?.close();
  await api?.stop();
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function sessionOf(metadata: Record<string, string>): Promise<string> {
  const { agents, environments, sessions } = api.client.beta;
  const agent = await agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await environments.create({ name: 'e', metadata });
  return (await sessions.create({ agent: agent.id, environment_id: environment.id })).id;
}

const message = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'look' }] };

/** What the shell says of its limit in one more turn. */
async function look(session: string): Promise<string> {
  const { events } = api.client.beta.sessions;
  const stream = await events.stream(session);
  await events.send(session, { events: [message] });
  let said = '';
  for await (const event of stream) {
    if (event.type === 'agent.tool_result') said = JSON.stringify(event.content);
    if (event.type === 'session.status_idle') break;
  }
  return said;
}

test.each([
  ['no target', {}, '"300"'],
  ['a target with limits', { 'longhand.target': 'small' }, '"200"'],
])(
  'a sandbox has the limits of %s',
  async (_name, metadata, limit) => {
    expect(await look(await sessionOf(metadata))).toContain(limit);
  },
  60_000,
);

test('a session that is woken without a history keeps its environment’s target', async () => {
  const session = await sessionOf({ 'longhand.target': 'small' });
  expect(await look(session)).toContain('"200"');
  const workflowExecution = { workflowId: sessionWorkflowId(session) };
  const namespace = 'default';
  await stack.temporalClient.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
  await expect.poll(() => stack.sessions.isOpen(session), { timeout: 20_000 }).toBe(false);
  await longhand.wake(session);
  // Its files are gone with the history; what it is made of is not.
  expect(await look(session)).toMatch(/(?<!\d)200"/);
}, 90_000);

test('a target’s work waits on its own queue for the workers that serve it', async () => {
  const session = await sessionOf({ 'longhand.target': 'elsewhere' });
  const looked = look(session);
  const home = await mkdtemp(join(tmpdir(), 'longhand-elsewhere-'));
  const blobs = `file://${join(stack.home, 'blobs')}`;
  const env = { ...stack.env.hands, LONGHAND_HOME: home, BLOB_URL: blobs, LONGHAND_HANDS_QUEUE: 'hands.elsewhere' };
  expect(await Promise.race([looked, new Promise((resolve) => setTimeout(resolve, 3_000, 'waits'))])).toBe('waits');
  const worker = await startWorkerProcess('hands', env);
  try {
    expect(await looked).toContain('"100"');
  } finally {
    await worker.stop();
    await releaseSandboxes(home);
    await rm(home, { recursive: true, force: true });
  }
}, 120_000);

test('the hands’ own file decides: a target that it does not have is an error of the call, at once', async () => {
  const said = await look(await sessionOf({ 'longhand.target': 'newer' }));
  expect(said).toContain('knows no target');
  expect(said).toContain('default, small, elsewhere');
}, 60_000);
