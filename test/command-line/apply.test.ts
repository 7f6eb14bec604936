/** `longhand apply` against a real api and database; no session runs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { apply } from '../../client/command-line/apply.ts';
import type { CommandContext } from '../../client/command-line/context.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { longhand } from '../support/command-line.ts';
import { type Stack, startStack } from '../support/stack.ts';

vi.setConfig({ testTimeout: 60_000 });

let stack: Stack;
let api: TestApi;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  stack = await startStack({ script: { rehearsal: 'Apply', fallback: { text: 'Hello.' } } });
  api = await startTestApi(stack);
  folder = await mkdtemp(join(tmpdir(), 'longhand-apply-'));
  env = { LONGHAND_URL: api.url, LONGHAND_API_KEY: api.key };
}, 300_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const agents = async () => (await api.client.beta.agents.list()).data;
const agentNamed = async (name: string) => (await agents()).filter((agent) => agent.name === name);

const TWO = `
kind: environment
name: default
---
# Comments, anchors and several documents are fine.
kind: agent
name: helper
model: claude-opus-4-8
system: |
  You are helpful.
  You look first.
tools:
  - type: agent_toolset_20260401
    configs: [{ name: bash, permission_policy: { type: always_ask } }]
metadata: { team: blue }
`;

test('what a file declares is made once; a second time nothing changes, and nobody needs to say yes', async () => {
  const path = await file('two.yaml', TWO);
  const first = await longhand(['apply', path, '--yes'], env);
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toMatch(/created environment default env_\w+\ncreated agent helper agent_\w+ version 1\n$/);
  const second = await longhand(['apply', path], env);
  expect(second).toMatchObject({ code: 0, err: '' });
  expect(second.out).toMatch(
    /^= environment default \S+ is as declared\n= agent helper \S+ version 1 is as declared\n$/,
  );
  expect(await agentNamed('helper')).toHaveLength(1);
});

test('only what changed is sent, what the file does not name stays, and the difference is shown first', async () => {
  await longhand(['apply', await file('two.yaml', TWO), '--yes'], env);
  const [before] = await agentNamed('helper');
  await api.client.beta.agents.update(before?.id ?? '', { description: 'Set by somebody else' });
  const path = await file('changed.yaml', TWO.replace('You look first', 'You look twice').replace('bash', 'write'));
  const dry = await longhand(['apply', path, '--dry-run'], env);
  expect(dry.code).toBe(0);
  expect(dry.out).toContain('~ agent helper');
  expect(dry.out).toMatch(/ {4}- {3}You look first\.\n {4}\+ {3}You look twice\.\n/);
  expect(dry.out).toMatch(/- +- name: bash\n[\s\S]*\+ +- name: write\n/);
  expect(dry.out).not.toMatch(/team|description/);
  expect((await agentNamed('helper'))[0]).toMatchObject({ version: 2, system: expect.stringContaining('first') });
  const done = JSON.parse((await longhand(['apply', path, '--yes', '--json'], env)).out) as unknown[];
  expect(done).toMatchObject([
    { kind: 'environment', action: 'keep' },
    { kind: 'agent', action: 'change', id: before?.id, version: 3, fields: ['system', 'tools'] },
  ]);
  expect((await agentNamed('helper'))[0]).toMatchObject({
    version: 3,
    description: 'Set by somebody else',
    metadata: { team: 'blue' },
  });
});

test('an entry that a file no longer has is gone afterwards', async () => {
  const path = await file('fewer.yaml', TWO.replace('helper', 'fewer'));
  await longhand(['apply', path, '--yes'], env);
  await writeFile(path, TWO.replace('helper', 'fewer').replace(/ {4}configs: .*\n/, ''));
  expect((await longhand(['apply', path, '--dry-run'], env)).out).toMatch(/- +- name: bash/);
  await longhand(['apply', path, '--yes'], env);
  expect((await agentNamed('fewer'))[0]?.tools).toMatchObject([{ configs: [] }]);
});

test('JSON, several files and standard input work alike', async () => {
  const one = await file('one.json', JSON.stringify([{ kind: 'agent', name: 'from json', model: 'claude-opus-4-8' }]));
  const done = await longhand(['apply', one, '-', '--yes'], env, 'kind: environment\nname: from input\n');
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(await agentNamed('from json')).toHaveLength(1);
});

test('one wrong document keeps all of them from being applied, in the API’s own words', async () => {
  const path = await file(
    'wrong.yaml',
    'kind: agent\nname: good\nmodel: claude-opus-4-8\n---\nkind: agent\nname: bad\nmodel: claude-opus-4-8\nsytem: x\n',
  );
  const { code, out, err } = await longhand(['apply', path, '--yes'], env);
  expect({ code, out, err }).toEqual({
    code: 1,
    out: '',
    err: `longhand apply: ${path}:5: agent "bad": sytem: Extra inputs are not permitted\n`,
  });
  expect(await agentNamed('good')).toEqual([]);
});

test('files that declare nothing useful are refused with the place', async () => {
  const outcome = async (text: string) => await longhand(['apply', '-', '--yes'], env, text);
  expect(await outcome('kind: agents\nname: x\n')).toMatchObject({
    code: 2,
    err: 'longhand apply: standard input:1: kind is "agents"; give "agent" or "environment".\n',
  });
  expect(await outcome('\n# nothing\n')).toMatchObject({ code: 2, err: expect.stringContaining('declares nothing') });
  expect(await outcome('kind: agent\nname: [x\n')).toMatchObject({ code: 2, err: expect.stringContaining('input:3:') });
  expect(await outcome('{kind: agent}')).toMatchObject({ code: 2, err: expect.stringContaining('name is missing') });
  const twice = 'kind: environment\nname: twice\n---\nkind: environment\nname: twice\n';
  expect(await outcome(twice)).toMatchObject({
    code: 2,
    err: expect.stringContaining('declared in standard input:1 already'),
  });
  expect(await longhand(['apply', '/nowhere.yaml'], env)).toMatchObject({
    code: 2,
    err: expect.stringContaining('ENOENT'),
  });
  expect(await longhand(['apply'], env)).toMatchObject({
    code: 2,
    err: expect.stringContaining('Usage: longhand apply'),
  });
});

test('a name that several objects have is not guessed at', async () => {
  for (let i = 0; i < 2; i++) await api.client.beta.environments.create({ name: 'double' });
  const { code, err } = await longhand(['apply', '-', '--yes'], env, 'kind: environment\nname: double\n');
  expect(code).toBe(1);
  expect(err).toMatch(/several have the name "double" \(env_\w+, env_\w+\)/);
});

test('without a terminal nothing is changed unless --yes is given', async () => {
  const path = await file('unasked.yaml', 'kind: environment\nname: unasked\n');
  const { code, err } = await longhand(['apply', path], env);
  expect({ code, err }).toEqual({
    code: 2,
    err: 'longhand apply: 1 to create, and nobody at a terminal to confirm it: --yes applies it, --dry-run only shows it.\n',
  });
});

test.each([
  ['y\n', 1],
  ['\n', 0],
  ['', 0],
])('on a terminal the answer %j makes %i of it', async (answer, made) => {
  const name = `asked ${JSON.stringify(answer)}`;
  const path = await file('asked.yaml', `kind: environment\nname: '${name}'\n`);
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const written: string[] = [];
  const terminal = { write: (text: string) => written.push(text), isTTY: true };
  const context: CommandContext = {
    api: async () => api.client,
    out: terminal,
    err: terminal,
    input,
    env: {},
    interruption: () => new AbortController().signal,
  };
  const run = apply.run([path], context);
  await vi.waitFor(() => expect(written.join('')).toContain('1 to create. Apply? [y/N]'));
  input.end(answer);
  if (made) expect(await run).toBe(0);
  else await expect(run).rejects.toThrow('Nothing was changed.');
  // The difference came before the question, in colours.
  expect(written[0]).toMatch(`\x1b[32m+ environment ${name}`);
  const names = (await api.client.beta.environments.list({ limit: 100 })).data.map((environment) => environment.name);
  expect(names.filter((one) => one === name)).toHaveLength(made);
});

test('a dry run leaves nothing behind, at the API too', async () => {
  const query = { beta: 'true', dry_run: 'true' };
  const before = (await agents()).length;
  const made = await api.client.beta.agents.create({ name: 'not made', model: 'claude-opus-4-8' }, { query });
  expect(made).toMatchObject({ name: 'not made', version: 1 });
  expect(await agents()).toHaveLength(before);
  const [helper] = await agentNamed('helper');
  const changed = await api.client.beta.agents.update(helper?.id ?? '', { system: 'Other' }, { query });
  expect(changed.system).toBe('Other');
  expect(await api.client.beta.agents.retrieve(helper?.id ?? '')).toEqual(helper);
  const session = { agent: helper?.id ?? '', environment_id: 'env_x' };
  await expect(api.client.beta.sessions.create(session, { query })).rejects.toThrow(/dry_run/);
});
