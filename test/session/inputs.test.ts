/** Files that go into a session: as resources of its sandbox, and as blocks of messages. */
import { toFile } from '@anthropic-ai/sdk';
import type { MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  const look = { bash: { command: 'cd /mnt/session/uploads && find . -type f | sort | xargs -r head -c 50 -v' } };
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Inputs',
      turns: [{ when: 'look', steps: [{ tools: [look] }, { text: 'Seen.' }] }],
      fallback: { text: 'Read.' },
    },
  });
  api = await startTestApi(stack);
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

const upload = async (content: string | Buffer, name: string, type: string) =>
  await api.client.files.upload({ file: await toFile(Buffer.from(content), name, { type }) });

async function newSession(more: object = {}) {
  const agent = await api.client.beta.agents.create({
    name: 'reader',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await api.client.beta.environments.create({ name: 'default' });
  return await api.client.beta.sessions.create({ agent: agent.id, environment_id: environment.id, ...more });
}

type Content = { type: string } & Record<string, unknown>;
/** Says something and returns the text of the tool results until idle. */
async function turn(session: string, ...content: Content[]): Promise<string> {
  const stream = await api.client.beta.sessions.events.stream(session);
  await api.client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: content as never }],
  });
  const seen: string[] = [];
  for await (const event of stream) {
    if (event.type === 'agent.tool_result') {
      for (const block of event.content ?? []) if (block.type === 'text') seen.push(block.text);
    }
    if (event.type === 'session.error') seen.push(event.error.message);
    if (event.type === 'session.status_idle') break;
  }
  return seen.join('\n');
}
const text = (words: string) => ({ type: 'text', text: words });

test('a session’s files are in its sandbox before the first call; live ones come and go before the next', async () => {
  const data = await upload('a,b\n1,2\n', 'data.csv', 'text/csv');
  const session = await newSession({
    resources: [
      { type: 'file', file_id: data.id, mount_path: 'sub/data.csv' },
      { type: 'file', file_id: data.id },
    ],
  });
  expect(session.resources).toMatchObject([
    { type: 'file', mount_path: '/mnt/session/uploads/sub/data.csv' },
    { type: 'file', mount_path: `/mnt/session/uploads/${data.id}` },
  ]);
  const seen = await turn(session.id, text('look'));
  expect(seen).toContain('==> ./sub/data.csv <==\na,b\n1,2');
  expect(seen).toContain(`==> ./${data.id} <==`);

  const late = await upload('late', 'late.txt', 'text/plain');
  const { resources } = api.client.beta.sessions;
  const added = await resources.add(session.id, { type: 'file', file_id: late.id, mount_path: '/late.txt' });
  expect(added).toMatchObject({ type: 'file', mount_path: '/mnt/session/uploads/late.txt' });
  expect(added.file_id).not.toBe(late.id);
  await resources.delete(session.resources[1]?.type === 'file' ? session.resources[1].id : '', {
    session_id: session.id,
  });
  // The session has its own copy: the original may go.
  await api.client.files.delete(data.id);
  await api.client.files.delete(late.id);
  const later = await turn(session.id, text('look again'));
  expect(later).toContain('==> ./late.txt <==\nlate');
  expect(later).toContain('==> ./sub/data.csv <==');
  expect(later).not.toContain(data.id);

  const listed = [];
  for await (const one of resources.list(session.id)) listed.push(one.type === 'file' && one.mount_path);
  expect(listed).toEqual(['/mnt/session/uploads/sub/data.csv', '/mnt/session/uploads/late.txt']);
  expect(await resources.retrieve(added.id, { session_id: session.id })).toEqual(added);
  const files = await api.client.beta.files.list({ scope_id: session.id, betas: ['managed-agents-2026-04-01'] });
  expect(files.data.map(({ filename, scope }) => [filename, scope?.id])).toEqual([
    ['late.txt', session.id],
    ['data.csv', session.id],
  ]);
}, 120_000);

test('a document and an image that messages name reach the model with their bytes, and only the model', async () => {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );
  const [paper, picture, notes] = [
    await upload('%PDF-1.4 a paper', 'paper.pdf', 'application/pdf'),
    await upload(png, 'dot.png', 'image/png'),
    await upload('some notes', 'notes.txt', 'text/plain'),
  ];
  const session = await newSession();
  const content = [
    { type: 'document', source: { type: 'file', file_id: paper.id }, title: 'Paper' },
    { type: 'image', source: { type: 'file', file_id: picture.id } },
    { type: 'document', source: { type: 'file', file_id: notes.id } },
    text('what is this?'),
  ];
  await turn(session.id, ...content);
  for (const { id } of [paper, picture, notes]) await api.client.files.delete(id);
  await turn(session.id, text('and now?'));
  const body = stack.rehearsal.requests.at(-1)?.body as MessageCreateParams;
  const first = body.messages[0]?.content;
  expect(first).toMatchObject([
    {
      type: 'document',
      title: 'Paper',
      source: {
        type: 'base64',
        media_type: 'application/pdf',
        data: Buffer.from('%PDF-1.4 a paper').toString('base64'),
      },
    },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') } },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'some notes' } },
    { type: 'text', text: 'what is this?' },
  ]);
  const page = await api.client.beta.sessions.events.list(session.id, { types: ['user.message'] });
  expect(page.data[0]).toMatchObject({ content });
  const stored = await stack.database.pool.query('select body from log_entries where session_id = $1', [session.id]);
  const log = stored.rows.map(({ body }) => String(body)).join('\n');
  expect(log).toContain(paper.id);
  expect(log).not.toContain(png.toString('base64').slice(0, 30));
}, 60_000);
