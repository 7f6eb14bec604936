/** Sessions that work: real sandboxes, and workers that are killed in the middle of a command. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent, SessionEvent } from '../../events/wire.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const bash = (command: string, more: object = {}) => ({ bash: { command, ...more } });

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Work for the hands',
      turns: [
        {
          when: 'much at once',
          steps: [
            { tools: [bash(`node -e "process.stdout.write('漢'.repeat(80_000))" > wide`)] },
            { tools: [{ read: { file_path: 'wide' }, times: 8 }] },
            { text: 'Done.' },
          ],
        },
        { when: 'keep this', steps: [{ tools: [bash('echo precious > kept')] }, { text: 'Kept.' }] },
        { when: 'show what was kept', steps: [{ tools: [bash('cat kept')] }, { text: 'Shown.' }] },
        { when: 'greet', steps: [{ tools: [bash('echo hello from $PWD as $(id -u)')] }, { text: 'Done.' }] },
        {
          when: 'slow line',
          steps: [{ tools: [bash('sleep 4; echo line >> journal; wc -l < journal')] }, { text: 'Done.' }],
        },
        { when: 'count lines', steps: [{ tools: [bash('wc -l < journal')] }, { text: 'Counted.' }] },
        { when: 'two at once', steps: [{ tools: [bash('echo one'), { glob: { pattern: '*' } }] }, { text: 'Done.' }] },
        { when: 'sleep long', steps: [{ tools: [bash('echo begun; sleep 300')] }, { text: 'Done.' }] },
        {
          when: 'end it all',
          steps: [{ tools: [bash('kill -9 -1; sleep 1')] }, { text: 'Oh.' }],
        },
        {
          when: 'big input',
          steps: [
            { tools: [{ write: { file_path: 'big', content: 'x'.repeat(200_000) } }, bash('wc -c < big')] },
            { text: 'Done.' },
          ],
        },
        { when: 'many rounds', steps: [{ repeat: 800, tools: [bash('echo round >> rounds')] }, { text: 'All done.' }] },
        { when: 'count rounds', steps: [{ tools: [bash('wc -l < rounds')] }, { text: 'Counted.' }] },
      ],
    },
  });
}, 900_000);
afterAll(() => stack?.stop(), 60_000);

const TOOLS: SessionAgent['tools'] = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  } as unknown as SessionAgent['tools'][number],
];

const start = () => startDirectSession(stack, { tools: TOOLS });
const results = (events: SessionEvent[]) =>
  events.flatMap((event) => (event.type === 'agent.tool_result' ? [event] : []));
const textOf = (event: SessionEvent | undefined) => JSON.stringify(event ?? null);

/** Host process of a session's sandbox, from the provider's own records. */
async function sandboxPid(sessionId: string): Promise<number> {
  const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(sessionId));
  const { ref } = await handle.query<SandboxPlace>(SANDBOX_QUERY);
  const name = `${ref?.id}.json`;
  const files = await readdir(stack.home, { recursive: true });
  const path = files.find((file) => file.endsWith(name));
  const record: { pid: number } = JSON.parse(await readFile(join(stack.home, path ?? name), 'utf8'));
  return record.pid;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a command runs in a sandbox, as nobody in particular', async () => {
  const session = await start();
  const idle = await session.turn('greet', 60_000);
  expect(idle.stop_reason.type).toBe('end_turn');
  expect(textOf(results(await session.events())[0])).toContain('hello from /workspace as 1000');
}, 90_000);

test('calls of one reply run side by side and each gets its own result', async () => {
  const session = await start();
  await session.turn('two at once', 60_000);
  expect(results(await session.events())).toHaveLength(2);
}, 90_000);

test('an input of 200,000 characters reaches the sandbox whole', async () => {
  const session = await start();
  await session.turn('big input', 60_000);
  expect(textOf(results(await session.events())[1])).toContain('200000');
}, 90_000);

test('eight results of 80,000 CJK characters at once go through, and the model sees them whole', async () => {
  const session = await start();
  await session.turn('much at once', 120_000);
  expect(results(await session.events())).toHaveLength(9);
  const asked = JSON.stringify(stack.rehearsal.requests.at(-1)?.body);
  expect(asked.split('漢').length - 1).toBeGreaterThanOrEqual(8 * 80_000);
}, 150_000);

describe('SIGKILL in the middle of a command', () => {
  test.each(['brain', 'hands', 'both'])(
    'of %s: the session ends by itself and the line is there once',
    async (who) => {
      const session = await start();
      await session.say('slow line');
      await session.until((event) => event.type === 'agent.tool_use', { ms: 60_000 });
      await pause(1_500);
      const victims = who === 'both' ? [stack.brain, stack.hands] : [who === 'brain' ? stack.brain : stack.hands];
      for (const victim of victims) await victim.kill();
      for (const victim of victims) await victim.start();
      await session.until((event) => event.type === 'session.status_idle', { ms: 60_000 });
      const [result] = results(await session.events());
      expect(textOf(result)).toContain('1');
      expect(result?.is_error).toBe(false);
      const from = (await session.events()).length;
      await session.turn('count lines', 60_000);
      expect(textOf(results((await session.events()).slice(from)).at(-1))).toMatch(/"1\\?n?/);
    },
    150_000,
  );
});

test('an interrupt stops a running command within seconds', async () => {
  const session = await start();
  await session.say('sleep long');
  await session.until((event) => event.type === 'agent.tool_use', { ms: 60_000 });
  await pause(2_000);
  const asked = Date.now();
  await session.send({ type: 'user.interrupt' });
  await session.until((event) => event.type === 'session.status_idle');
  expect(Date.now() - asked).toBeLessThan(5_000);
  expect(textOf(results(await session.events())[0])).toMatch(/interrupt/i);
}, 90_000);

test('an agent that kills all its processes can go on', async () => {
  const session = await start();
  await session.turn('end it all', 90_000);
  await session.turn('greet', 90_000);
  expect(textOf(results(await session.events()).at(-1))).toContain('hello from');
}, 200_000);

test('a sandbox that dies in a command is an error that says so, and the files are back as of the last turn', async () => {
  const session = await start();
  await session.turn('keep this', 60_000);
  // The turn's checkpoint is taken beside the next one.
  await pause(3_000);
  await session.say('sleep long');
  await session.until((event) => event.type === 'agent.tool_use' && JSON.stringify(event).includes('sleep 300'));
  await pause(2_000);
  process.kill(await sandboxPid(session.id), 'SIGKILL');
  await session.until((event) => event.type === 'agent.tool_result' && event.is_error === true, { ms: 60_000 });
  const lost = textOf(results(await session.events()).at(-1));
  expect(lost).toContain('cannot be known');
  expect(lost).toContain('restored as of');
  await session.until((event) => event.type === 'agent.message' && JSON.stringify(event).includes('Done.'));
  await pause(1_000);
  await session.turn('show what was kept', 90_000);
  expect(textOf(results(await session.events()).at(-1))).toContain('precious');
}, 200_000);

test('one turn of 800 tool rounds goes through continue-as-new, each round once', async () => {
  const session = await start();
  const idle = await session.turn('many rounds', 400_000);
  expect(idle.stop_reason.type).toBe('end_turn');
  const entries = await session.entries();
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index));
  await session.turn('count rounds', 60_000);
  expect(textOf(results(await session.events()).at(-1))).toContain('800');
  const segments = await stack.database.pool.query('select 1 from segments where session_id = $1', [session.id]);
  expect(segments.rows.length).toBeGreaterThan(5);
}, 500_000);
