/** Deliverables: what an agent leaves under /mnt/session/outputs is a file by the time its session is seen idle. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_OUTPUT_LIMITS } from '../../workflows/contract.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type Stack, startStack } from '../support/stack.ts';

const COMMANDS: Record<string, string> = {
  first: 'cd /mnt/session/outputs && mkdir -p sub && echo one > a.txt && echo two > sub/b.md && seq 1 50000 > c.csv',
  second: 'cd /mnt/session/outputs && echo changed > a.txt && touch c.csv',
  nothing: 'true',
  tricks:
    "cd /mnt/session/outputs && ln -s /etc/passwd link && mkfifo pipe && mkdir loop && ln -s . loop/self && echo x > $'odd\\nname' && chmod 000 sub/b.md && head -c 3000000 /dev/zero > huge",
  slow: 'cd /mnt/session/outputs && head -c 20000000 /dev/urandom > slow.bin',
  ends: 'echo last > /mnt/session/outputs/last.txt',
};

let stack: Stack;
let api: TestApi;
let small: TestApi;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Outputs',
      turns: Object.entries(COMMANDS).map(([when, command]) => ({
        when,
        steps: [{ tools: [{ bash: { command } }] }, { text: 'Done.' }],
      })),
      fallback: { text: 'Yes.' },
    },
  });
  api = await startTestApi(stack);
  small = await startTestApi(stack, {
    session: { outputs: { ...DEFAULT_OUTPUT_LIMITS, fileBytes: 2_000_000, waitMs: 10_000 } },
  });
}, 900_000);
afterAll(async () => {
  await small?.stop();
  await api?.stop();
  await stack?.stop();
}, 60_000);

const betas: 'managed-agents-2026-04-01'[] = ['managed-agents-2026-04-01'];

async function newSession(of: TestApi = api): Promise<string> {
  const agent = await of.client.beta.agents.create({
    name: `maker ${randomBytes(3).toString('hex')}`,
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await of.client.beta.environments.create({ name: 'default' });
  return (await of.client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
}

/** Says something, waits for idle on the stream, and lists the session's files at that very moment. */
async function turn(session: string, text: string) {
  const { sessions, files } = api.client.beta;
  const stream = await sessions.events.stream(session);
  await sessions.events.send(session, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
  const errors: string[] = [];
  for await (const event of stream) {
    if (event.type === 'session.error') errors.push(event.error.message);
    if (event.type === 'session.status_idle') break;
  }
  const page = await files.list({ scope_id: session, betas, limit: 100 });
  return { errors, files: page.data, names: page.data.map(({ filename }) => filename).sort() };
}
const contentOf = async (id: string) => await (await api.client.beta.files.download(id)).text();

test('files are listed at idle, whole; unchanged ones once, changed ones anew; and they go with the session', async () => {
  const session = await newSession();
  const first = await turn(session, 'first');
  expect([first.names, first.errors]).toEqual([['a.txt', 'c.csv', 'sub/b.md'], []]);
  const named = (name: string) => first.files.find(({ filename }) => filename === name);
  expect(named('c.csv')).toMatchObject({ mime_type: 'text/csv', downloadable: true, size_bytes: 288_894 });
  expect((await contentOf(named('c.csv')?.id ?? '')).split('\n')).toHaveLength(50_001);
  expect(await contentOf(named('sub/b.md')?.id ?? '')).toBe('two\n');

  const second = await turn(session, 'second');
  expect(second.names).toEqual(['a.txt', 'a.txt', 'c.csv', 'sub/b.md']);
  expect(await contentOf(second.files[0]?.id ?? '')).toBe('changed\n');
  expect(await contentOf(named('a.txt')?.id ?? '')).toBe('one\n');

  await api.client.beta.files.delete(named('c.csv')?.id ?? '');
  expect((await turn(session, 'nothing')).names).toEqual(['a.txt', 'a.txt', 'sub/b.md']);
  expect((await turn(session, 'only talk')).names).toEqual(['a.txt', 'a.txt', 'sub/b.md']);

  await api.client.beta.sessions.delete(session);
  expect((await api.client.beta.files.list({ scope_id: session, betas })).data).toEqual([]);
  await expect(contentOf(second.files[0]?.id ?? '')).rejects.toMatchObject({ status: 404 });
}, 120_000);

test('what is no plain file is passed over, and what is too large is said once', async () => {
  const session = await newSession(small);
  await turn(session, 'first');
  const { names, errors } = await turn(session, 'tricks');
  expect(names).toEqual(['a.txt', 'c.csv', 'odd\ufffdname', 'sub/b.md']);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain('huge has 3000000 bytes; the limit for one file is 2000000.');
  expect((await turn(session, 'nothing')).errors).toEqual([]);
}, 120_000);

test('a hands worker that dies while it brings files out costs time, not files', async () => {
  const session = await newSession();
  await turn(session, 'first');
  const slow = turn(session, 'slow');
  await untilLogged(session, (body) => body.includes('"agent.tool_result"') && body.includes('span.model_request_end'));
  await stack.hands.kill();
  await stack.hands.start();
  const { files } = await slow;
  const late = async () => (await api.client.beta.files.list({ scope_id: session, betas })).data;
  let found = files.find(({ filename }) => filename === 'slow.bin');
  for (let i = 0; i < 100 && !found; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    found = (await late()).find(({ filename }) => filename === 'slow.bin');
  }
  expect(found?.size_bytes).toBe(20_000_000);
  expect((await late()).filter(({ filename }) => filename === 'slow.bin')).toHaveLength(1);
}, 120_000);

/** Waits until the newest entries of a session's log satisfy `matches`. */
async function untilLogged(session: string, matches: (body: string) => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const { rows } = await stack.database.pool.query(
      'select body from log_entries where session_id = $1 order by seq desc limit 4',
      [session],
    );
    if (matches(rows.map(({ body }) => String(body)).join('\n'))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('The log never said so.');
}
