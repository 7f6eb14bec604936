/** Files of a sandbox, brought out for a person. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionFiles } from '../../client/session-files.ts';
import type { SessionAgent } from '../../events/wire.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const COMMAND = 'mkdir -p /mnt/session/outputs && cd /mnt/session/outputs && seq 1 20000 > large && echo hi > small';
const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  },
] as unknown as SessionAgent['tools'];

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Files',
      turns: [{ when: 'go', steps: [{ tools: [{ bash: { command: COMMAND } }] }, { text: 'ok' }] }],
    },
  });
}, 900_000);
afterAll(() => stack?.stop(), 60_000);

test('files come out whole, every time, and a sandbox that was let go is restored for them', async () => {
  const session = await startDirectSession(stack, { tools: TOOLS, settings: { sandboxIdleMs: 4_000 } });
  await session.turn('go', 60_000);
  const files = createSessionFiles(stack.temporalClient, stack.sessions, stack.blobs);
  const names = (await files.list(session.id, '/mnt/session/outputs')).map(({ path, bytes }) => [path, bytes]);
  expect(names).toEqual([
    ['/mnt/session/outputs/large', 108_894],
    ['/mnt/session/outputs/small', 3],
  ]);
  const size = async (name: string) =>
    Buffer.concat(await (await files.get(session.id, `/mnt/session/outputs/${name}`)).toArray()).length;
  for (let i = 0; i < 5; i++) expect([await size('large'), await size('small')]).toEqual([108_894, 3]);
  await expect(files.get(session.id, '/mnt/session/outputs/none')).rejects.toThrow(/none/);
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  expect(await size('small')).toBe(3);
}, 120_000);
