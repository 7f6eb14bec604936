/** Files that are more than a checkpoint may hold: people are told, nothing is lost while the sandbox lives. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SessionAgent, SessionEvent } from '../../events/wire.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  },
] as unknown as SessionAgent['tools'];

let folder: string;
let stack: Stack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-unsaved-'));
  const targets = join(folder, 'targets.yaml');
  await writeFile(targets, 'default: { limits: { disk: 128Mi } }\n');
  const bash = (command: string) => [{ tools: [{ bash: command }] }, { text: 'Done.' }];
  stack = await startStack({
    hands: true,
    env: { LONGHAND_TARGETS: targets },
    script: {
      rehearsal: 'More than is kept',
      turns: [
        { when: 'write much', steps: bash('echo small > file; head -c 60M /dev/urandom > big') },
        { when: 'write more', steps: bash('date > other') },
        { when: 'show', steps: bash('cat file') },
        { when: 'clean up', steps: bash('rm big') },
      ],
    },
  });
}, 900_000);
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

test('the session says so once and goes on in the same sandbox; what fits again is saved again', async () => {
  const session = await startDirectSession(stack, { tools: TOOLS, settings: { sandboxIdleMs: 1_000 } });
  const isError = (event: SessionEvent) =>
    event.type === 'session.error' && event.error.message.includes('are not saved');
  const errors = async () => (await session.events()).filter(isError);

  await session.turn('write much', 60_000);
  await session.until(isError, { ms: 60_000 });
  expect((await errors())[0]).toMatchObject({
    error: { message: expect.stringMatching(/more than 48 MiB when they are packed.*Delete what/s) },
  });
  await session.turn('write more', 60_000);
  // Idle for longer than a sandbox is kept: it is not let go with files that nobody else has.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await session.turn('show', 60_000);
  const last = (await session.events()).filter(({ type }) => type === 'agent.tool_result').at(-1);
  expect(JSON.stringify(last)).toContain('"small');
  expect(JSON.stringify(last)).not.toContain('made anew');
  expect(await errors()).toHaveLength(1);

  await session.turn('clean up', 60_000);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await session.turn('show', 60_000);
  const restored = (await session.events()).filter(({ type }) => type === 'agent.tool_result').at(-1);
  expect(JSON.stringify(restored)).toContain('made anew');
  expect(JSON.stringify(restored)).toContain('small');
}, 200_000);
