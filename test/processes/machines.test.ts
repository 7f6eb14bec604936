/** Hands on two machines (each a data folder of its own) with one blob store: a sandbox is reached by its own only. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent, SessionEvent } from '../../events/wire.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { releaseSandboxes, type Stack, startStack } from '../support/stack.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';

const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  },
] as unknown as SessionAgent['tools'];

let stack: Stack;
let otherHome: string;
let otherHands: WorkerProcess;

beforeAll(async () => {
  otherHome = await mkdtemp(join(tmpdir(), 'longhand-other-'));
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Two machines',
      turns: [
        {
          when: 'work',
          steps: [{ repeat: 4, tools: [{ bash: 'echo x >> lines; wc -l < lines' }] }, { text: 'Done.' }],
        },
        { when: 'keep', steps: [{ tools: [{ bash: 'echo precious > kept' }] }, { text: 'Kept.' }] },
        {
          when: 'begin and leave',
          steps: [{ tools: [{ bash: 'cat kept; sleep 300' }] }, { tools: [{ bash: 'cat kept' }] }, { text: 'Shown.' }],
        },
      ],
    },
  });
  const env = { ...stack.env.hands, LONGHAND_HOME: otherHome, BLOB_URL: `file://${join(stack.home, 'blobs')}` };
  otherHands = await startWorkerProcess('hands', env);
}, 900_000);
afterAll(async () => {
  await otherHands?.stop();
  await releaseSandboxes(otherHome);
  await stack?.stop();
  await rm(otherHome, { recursive: true, force: true });
}, 60_000);

const results = (events: SessionEvent[]) =>
  events.flatMap((event) => (event.type === 'agent.tool_result' ? [JSON.stringify(event.content)] : []));

const placeOf = (session: string) =>
  stack.temporalClient.workflow.getHandle(sessionWorkflowId(session)).query<SandboxPlace>(SANDBOX_QUERY);

/** The worker whose machine has the session's sandbox. */
async function holderOf(session: string): Promise<WorkerProcess> {
  const { handsQueue } = await placeOf(session);
  const machine = await readFile(join(stack.home, 'hands', 'machine'), 'utf8');
  return handsQueue === `hands@${machine.trim()}` ? stack.hands : otherHands;
}

test('every call goes to the machine that has its sandbox', async () => {
  const queues = new Set<string>();
  // Who makes a sandbox is chance: all of a few may be one machine's.
  for (let round = 0; round < 5 && queues.size < 2; round++) {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => startDirectSession(stack, { tools: TOOLS })));
    await Promise.all(sessions.map((session) => session.turn('work', 60_000)));
    for (const session of sessions) {
      const counts = results(await session.events()).map((text) => /"text":"(\d+)"/.exec(text)?.[1]);
      expect(counts).toEqual(['1', '2', '3', '4']);
      queues.add((await placeOf(session.id)).handsQueue);
    }
  }
  expect(queues.size).toBe(2);
}, 300_000);

test('a machine that does not come back: the call says so, and another goes on from the checkpoint', async () => {
  const session = await startDirectSession(stack, {
    tools: TOOLS,
    settings: { machineWaitMs: 3_000, sandboxIdleMs: 1_000 },
  });
  await session.turn('keep', 60_000);
  // Idle for long enough it is checkpointed and let go; whichever machine is next restores it.
  while ((await placeOf(session.id)).ref) await new Promise((resolve) => setTimeout(resolve, 100));
  const asked = await session.say('begin and leave');
  const from = asked.ok ? (asked.events[0]?.seq ?? 0) : 0;
  while (!(await placeOf(session.id)).ref) await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const holder = await holderOf(session.id);
  await holder.kill();
  try {
    await session.until((event) => event.type === 'session.status_idle', { from, ms: 90_000 });
    const texts = results(await session.events());
    expect(texts[1]).toContain('No hands worker of its machine');
    expect(texts[1]).toContain('whether it had effects cannot be known');
    expect(texts[2]).toContain('precious');
    expect(await holderOf(session.id)).not.toBe(holder);
  } finally {
    await holder.start();
  }
}, 120_000);
