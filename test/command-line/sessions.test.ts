/** `longhand sessions …` as a process, against a real Longhand. */
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { longhand, type Outcome, startLonghand } from '../support/command-line.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { type Stack, startStack } from '../support/stack.ts';

vi.setConfig({ testTimeout: 180_000 });

let stack: Stack;
let api: TestApi;
let env: Record<string, string>;

const WRITE = (name: string) => ({ write: { file_path: `/workspace/${name}`, content: 'hello' } });

beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Command line',
      turns: [
        { when: 'count', steps: [{ tools: [{ bash: 'echo 42' }] }, { text: 'There are \x1b[31m42.' }] },
        { when: 'two files', steps: [{ tools: [WRITE('a'), WRITE('b')] }, { text: 'Written.' }] },
        { when: 'one file', steps: [{ tools: [WRITE('c')] }, { text: 'Written.' }] },
        {
          when: 'slowly',
          steps: [{ tools: [{ bash: 'echo started; sleep 3' }] }, { tools: [{ bash: 'sleep 2' }] }, { text: 'Slept.' }],
        },
        { when: 'forever', steps: [{ tools: [{ bash: 'sleep 600' }] }, { text: 'Stopped.' }] },
      ],
      fallback: { text: 'Hello from the rehearsal.' },
    },
  });
  api = await startTestApi(stack);
  env = { LONGHAND_URL: api.url, LONGHAND_API_KEY: api.key, TZ: 'Pacific/Auckland' };
  await api.client.beta.agents.create({
    name: 'helper',
    model: 'claude-opus-4-8',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  await api.client.beta.environments.create({ name: 'default' });
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

const sessions = (...args: string[]) => longhand(['sessions', ...args], env);

async function create(...more: string[]): Promise<string> {
  const { out, err } = await sessions('create', '--agent', 'helper', '--environment', 'default', ...more);
  expect(err).toBe('');
  expect(out).toMatch(/^sesn_\w+\n$/);
  return out.trim();
}

const lines = (text: string) => text.split('\n').filter(Boolean);
const events = ({ out }: Outcome) =>
  lines(out).map((line) => JSON.parse(line) as Anthropic.Beta.Sessions.BetaManagedAgentsSessionEvent);

/** Every frame of the log, as a client that was there from the start would have got it. */
async function wholeStream(sessionId: string): Promise<string[]> {
  const answer = await fetch(`${api.url}/v1/sessions/${sessionId}/events/stream?from=0`, {
    headers: {
      'x-api-key': api.key,
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'managed-agents-2026-04-01',
    },
    signal: AbortSignal.timeout(3_000),
  });
  const found: string[] = [];
  try {
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      found.splice(0, found.length, ...[...text.matchAll(/^data: (.*)$/gm)].map((match) => match[1] ?? ''));
    }
  } catch {
    // The time is up: the session is idle, and the stream open.
  }
  return found;
}

test('a session is created by names, sent to, followed until idle, listed and shown', async () => {
  const id = await create('--title', 'Counting');
  const sent = await sessions('send', id, 'please count', '--wait');
  expect(sent).toMatchObject({ code: 0, err: '' });
  expect(sent.out).toMatch(/\d\d:\d\d:\d\d {2}you +please count\n/);
  // What a model says is shown once (previews are part of it), and no terminal obeys it.
  expect(sent.out.split('There are \\x1b[31m42.')).toHaveLength(2);
  expect(sent.out).not.toContain('\x1b');
  const shown = await sessions('show', id.slice(-8));
  expect(shown.out).toMatch(new RegExp(`session +${id}\n`));
  expect(shown.out).toMatch(/status +idle/);
  const listed = await sessions('list', '--limit', '1');
  expect(lines(listed.out)).toHaveLength(1);
  const created = (await api.client.beta.sessions.retrieve(id)).created_at;
  const local = new Date(created).toLocaleString('sv-SE', { timeZone: 'Pacific/Auckland' });
  expect(listed.out).toContain(`${id}  idle  helper v1  ${local}  Counting`);
});

test('with --json there is one document, exactly the API’s object', async () => {
  const id = await create();
  const { stats: _, ...shown } = JSON.parse((await sessions('show', id, '--json')).out) as { stats: unknown };
  expect(await api.client.beta.sessions.retrieve(id)).toMatchObject(shown);
  const list = JSON.parse((await sessions('list', '--json', '--limit', '2')).out) as { id: string }[];
  expect(list.map((session) => session.id)).toContain(id);
  const sent = JSON.parse((await sessions('send', id, 'hello', '--json')).out) as { data: { type: string }[] };
  expect(sent.data).toMatchObject([{ type: 'user.message' }]);
  const waited = events(await sessions('send', id, 'hello again', '--wait', '--json'));
  expect(waited[0]).toMatchObject({ type: 'user.message', content: [{ text: 'hello again' }] });
  expect(waited.at(-1)).toMatchObject({ type: 'session.status_idle' });
});

test('a message comes from standard input too', async () => {
  const id = await create();
  expect(await longhand(['sessions', 'send', id, '--wait'], env, 'hello\nthere\n')).toMatchObject({ code: 0 });
  const [message] = events(await sessions('tail', id, '--until-idle', '--json'));
  expect(message).toMatchObject({ content: [{ text: 'hello\nthere' }] });
});

test('approve takes the one call that waits, lists several, and lets them be denied', async () => {
  const id = await create();
  expect(await sessions('send', id, 'write two files', '--wait')).toMatchObject({ code: 4 });
  const unclear = await sessions('approve', id);
  expect(unclear).toMatchObject({ code: 2, out: '' });
  const calls = [...unclear.err.matchAll(/(sevt_\w+) {2}write \/workspace\/([ab])/g)].map((match) => match[1] ?? '');
  expect(calls).toHaveLength(2);
  expect(await sessions('approve', id, 'none-such')).toMatchObject({ code: 3 });
  expect(await sessions('approve', id, calls[0]?.slice(-7) ?? '', '--wait')).toMatchObject({ code: 4 });
  const denied = await sessions('approve', id, '--deny', 'not in this test', '--wait');
  expect(denied).toMatchObject({ code: 0 });
  expect(denied.out).toContain('write /workspace/b');
  expect(denied.out).toContain('Reason: not in this test');
  expect(await sessions('approve', id)).toMatchObject({ code: 1, err: expect.stringContaining('waits for approval') });
  await sessions('send', id, 'write two files', '--wait');
  expect(await sessions('approve', id, '--all', '--wait')).toMatchObject({ code: 0 });
});

test('interrupt ends the turn, and who waits for it sees the end', async () => {
  const id = await create();
  const waiting = startLonghand(['sessions', 'send', id, 'wait forever', '--wait'], env);
  await vi.waitFor(() => expect(waiting.out()).toContain('sleep 600'), { timeout: 60_000 });
  expect(await sessions('interrupt', id)).toMatchObject({ code: 0, err: '' });
  expect(await waiting.ended).toMatchObject({ code: 0, out: expect.stringContaining('interrupt') });
});

test('tail goes on after lost connections without a gap and without a repetition', async () => {
  const proxy = await startLossyProxy(api.url);
  try {
    const id = await create('--message', 'count them');
    await sessions('tail', id, '--until-idle');
    const tail = startLonghand(['sessions', 'tail', id, '--json'], { ...env, LONGHAND_URL: proxy.url });
    await vi.waitFor(() => expect(tail.out()).toContain('session.status_idle'), { timeout: 20_000 });
    // Lost while nothing happens, in the middle of a command, and with events missed meanwhile.
    proxy.lose(500);
    await sessions('send', id, 'slowly now');
    await vi.waitFor(() => expect(tail.out()).toContain('sleep 3'), { timeout: 30_000 });
    proxy.lose(1_500);
    await vi.waitFor(() => expect(lines(tail.out()).at(-1)).toContain('session.status_idle'), { timeout: 60_000 });
    expect(lines(tail.out())).toEqual(await wholeStream(id));
    expect(proxy.connections()).toBeGreaterThanOrEqual(3);
    expect(tail.err()).toContain('The connection was lost; trying again.');
    await api.client.beta.sessions.delete(id);
    const { code } = await tail.ended;
    expect(code).toBe(0);
    expect(lines(tail.out()).at(-1)).toContain('"session.deleted"');
  } finally {
    proxy.close();
  }
});

test('tail --new begins with what comes, also when the connection is lost before anything came', async () => {
  const proxy = await startLossyProxy(api.url);
  try {
    const id = await create('--message', 'hello');
    await sessions('tail', id, '--until-idle');
    const before = (await wholeStream(id)).length;
    const tail = startLonghand(['sessions', 'tail', id, '--new', '--json'], { ...env, LONGHAND_URL: proxy.url });
    await vi.waitFor(() => expect(proxy.connections()).toBeGreaterThanOrEqual(1), { timeout: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    proxy.lose(2_000);
    await sessions('send', id, 'hello', '--wait');
    await vi.waitFor(() => expect(tail.out()).toContain('session.status_idle'), { timeout: 30_000 });
    expect(lines(tail.out())).toEqual((await wholeStream(id)).slice(before));
    tail.child.kill('SIGINT');
    expect(await tail.ended).toMatchObject({ code: 0 });
  } finally {
    proxy.close();
  }
});

test('tail of an archived session shows its history and ends; --until-idle tells what the session waits for', async () => {
  const id = await create('--message', 'write one file');
  expect(await sessions('tail', id, '--until-idle')).toMatchObject({ code: 4 });
  const quiet = await sessions('tail', id, '--until-idle', '--new');
  expect(quiet).toMatchObject({ code: 4, out: '' });
  await api.client.beta.sessions.archive(id);
  const tail = await sessions('tail', id);
  expect(tail).toMatchObject({ code: 0, out: expect.stringContaining('the session has ended') });
  expect(await sessions('tail', await create(), '--until-idle')).toMatchObject({ code: 0, out: '' });
});

test('Ctrl-C ends a wait with 130 and without a stack trace, and the session goes on', async () => {
  const id = await create();
  const waiting = startLonghand(['sessions', 'send', id, 'wait forever', '--wait'], env);
  await vi.waitFor(() => expect(waiting.out()).toContain('sleep 600'), { timeout: 60_000 });
  waiting.child.kill('SIGINT');
  expect(await waiting.ended).toMatchObject({ code: 130, err: '' });
  expect((await api.client.beta.sessions.retrieve(id)).status).toBe('running');
  await sessions('interrupt', id);
});

test('errors are one line on stderr, with the documented exit codes', async () => {
  const none = await sessions('show', `sesn_01${'x'.repeat(23)}`);
  expect(none).toMatchObject({
    code: 3,
    out: '',
    err: expect.stringMatching(/^longhand sessions: Session \S+ was not found\.\n$/),
  });
  expect(await sessions('tail', 'nosuch')).toMatchObject({
    code: 3,
    err: 'longhand sessions: There is no session nosuch.\n',
  });
  expect(await sessions('tail', 'sesn_')).toMatchObject({
    code: 2,
    err: expect.stringContaining('type more of the id'),
  });
  expect(await sessions('create', '--agent', 'x', '--environment', 'y')).toMatchObject({ code: 3 });
  expect(await sessions('list', '--status', 'asleep')).toMatchObject({
    code: 2,
    err: expect.stringContaining('idle, running'),
  });
  expect(await sessions('list', '--nonsense')).toMatchObject({
    code: 2,
    err: expect.stringContaining('Usage: longhand sessions list'),
  });
  expect(await sessions('send')).toMatchObject({ code: 2 });
  expect(await sessions('fly')).toMatchObject({ code: 2 });
  const away = await longhand(['sessions', 'list'], { ...env, LONGHAND_URL: 'http://127.0.0.1:3' });
  expect(away).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nothing answers at http:\/\/127\.0\.0\.1:3 \(ECONNREFUSED\)/),
  });
  const refused = await longhand(['sessions', 'list'], { ...env, LONGHAND_API_KEY: `lh-${'x'.repeat(30)}` });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('refused the API key') });
});

test('each subcommand explains itself, without a server', async () => {
  for (const name of ['list', 'show', 'create', 'tail', 'send', 'approve', 'interrupt', 'files']) {
    const help = await longhand(['sessions', name, '--help'], {});
    expect(help, name).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`longhand sessions ${name}`) });
  }
});
