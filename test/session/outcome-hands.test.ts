/** Outcomes whose work is files: the grader looks at a copy, and a command can be the judge. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import { primaryThreadId } from '../../events/ids.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import {
  eventsOf,
  GRADER,
  graderRequests,
  grades,
  makeParts,
  outcome,
  toIdle,
  until,
  verdict,
} from '../support/outcomes.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
let parts: Awaited<ReturnType<typeof makeParts>>;
const bash = (command: string) => ({ bash: { command } });
const hand = (text: string) => bash(`echo '${text}' > /mnt/session/outputs/report.md; echo kept > /workspace/notes`);
const OK = verdict('satisfied', { '1. good': true });
const POOR = verdict('needs_revision', { '1. good': false }, 'Poor.');

beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Files',
      turns: [
        grades('plain report', { tools: [OK] }),
        grades(
          'report to look into',
          { tools: [bash('cat /workspace/notes; ls /workspace /mnt/session/outputs; pgrep -c sleep')] },
          { tools: [bash('rm -rf /workspace/* /mnt/session/outputs/*; echo graded > /workspace/mark; ls /workspace')] },
          { tools: [{ read: { file_path: '/workspace/mark' } }, { glob: { pattern: '*' } }] },
          { tools: [OK] },
        ),
        grades(
          'report for a slow look',
          { tools: [bash('sleep 4; cat /workspace/notes >> /tmp/n; wc -l < /tmp/n')] },
          { tools: [OK] },
        ),
        grades('Output of the command', { tools: [verdict('satisfied', { '1. good': true }, 'The model agrees.')] }),
        { when: { system: GRADER }, steps: [{ tools: [POOR] }] },
        {
          when: 'look at the workspace',
          steps: [{ tools: [bash('cat /workspace/notes; ls -a /workspace')] }, { text: 'Looked.' }],
        },
        { when: 'plain', steps: [{ tools: [hand('plain report')] }, { text: 'Done.' }] },
        {
          when: 'look into',
          steps: [{ tools: [hand('report to look into'), bash('sleep 300 & echo on')] }, { text: 'Done.' }],
        },
        { when: 'slow look', steps: [{ tools: [hand('report for a slow look')] }, { text: 'Done.' }] },
        {
          when: 'exits with code 0',
          steps: [{ tools: [bash('touch /workspace/ready')] }, { text: 'Now it is ready.' }],
        },
        { when: 'make it ready', steps: [{ tools: [bash('true')] }, { text: 'Is it?' }] },
        { when: 'no further evaluation', steps: [{ text: 'So be it.' }] },
      ],
    },
  });
  api = await startTestApi(stack);
  parts = await makeParts(api, true);
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

async function start(description: string, metadata: Record<string, string> = {}, more: object = {}): Promise<string> {
  const session = await api.client.beta.sessions.create({
    ...{ agent: parts.agent, environment_id: parts.environment_id, metadata },
  });
  await api.client.beta.sessions.events.send(session.id, { events: [outcome(description, 'good', more)] });
  return session.id;
}

interface SandboxRecord {
  sessionId: string;
  copy?: string;
  state: string;
}

/** The provider's own records of a session's sandboxes. */
async function sandboxesOf(session: string): Promise<SandboxRecord[]> {
  const files = (await readdir(stack.home, { recursive: true })).filter((file) => /lh-[^/]*\.json$/.test(file));
  const all = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(stack.home, file), 'utf8')) as SandboxRecord),
  );
  return all.filter((record) => record.sessionId === session);
}

/** What the entries of evaluations' ends keep beside the event. */
async function judgedFiles(session: string): Promise<(string | undefined)[]> {
  const entries = await stack.log.read(session, primaryThreadId(session), 0);
  return entries.flatMap((entry) =>
    isEventEntry(entry) && entry.event.type === 'span.outcome_evaluation_end' ? [entry.private?.judged] : [],
  );
}

test('a grader that needs no look sees what was handed in, and no sandbox is made for it', async () => {
  const session = await start('plain work');
  const log = await toIdle(api.client, session);
  expect(log.ends).toMatchObject([{ result: 'satisfied' }]);
  const request = graderRequests(stack).findLast((body) => JSON.stringify(body).includes('plain report'));
  expect(JSON.stringify(request)).toContain('/mnt/session/outputs/report.md (13 bytes)');
  expect(request?.tools?.map((tool) => 'name' in tool && tool.name)).toEqual([
    'bash',
    'read',
    'glob',
    'grep',
    'verdict',
  ]);
  expect(request?.tool_choice).toEqual({ type: 'any' });
  expect(await sandboxesOf(session)).toHaveLength(1);
  const [judged] = await judgedFiles(session);
  expect(judged).toMatch(/^[0-9a-f]{64}$/);
  expect((await stack.blobs.get(session, judged ?? '')).length).toBeGreaterThan(0);
}, 90_000);

test('the grader looks at a copy: it sees the work, cannot change it, and leaves nothing behind', async () => {
  const session = await start('work to look into');
  const log = await toIdle(api.client, session);
  expect(log.ends).toMatchObject([{ result: 'satisfied' }]);
  const requests = graderRequests(stack).filter((body) => JSON.stringify(body).includes('report to look into'));
  const results = JSON.stringify(requests.at(-1)?.messages.slice(1));
  // The files are there; what the agent left running is not.
  expect(results).toContain('kept');
  expect(results).toContain('report.md');
  expect(results).toMatch(/\\n0(\\n|")/);
  expect(results).toContain('graded');
  // None of its calls is in the session's log.
  expect(log.events.filter((event) => event.type === 'agent.tool_use')).toHaveLength(2);
  const copies = (await sandboxesOf(session)).filter((record) => record.copy !== undefined);
  expect(copies).toMatchObject([{ state: 'gone' }]);
  await api.client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'look at the workspace' }] }],
  });
  const { events } = await toIdle(api.client, session, 2);
  const seen = JSON.stringify(events.findLast((event) => event.type === 'agent.tool_result'));
  expect(seen).toContain('kept');
  expect(seen).not.toContain('mark');
}, 120_000);

describe('SIGKILL while the grader looks', () => {
  test.each(['brain', 'hands', 'both'])(
    'of %s: its call runs once and its verdict stands once',
    async (who) => {
      const session = await start('a slow look');
      const began = graderRequests(stack).length;
      await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_start');
      await expect.poll(() => graderRequests(stack).length, { timeout: 20_000 }).toBeGreaterThan(began);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      const victims = who === 'both' ? [stack.brain, stack.hands] : [who === 'brain' ? stack.brain : stack.hands];
      for (const victim of victims) await victim.kill();
      for (const victim of victims) await victim.start();
      const log = await toIdle(api.client, session, 1, 90_000);
      expect(log.ends).toMatchObject([{ iteration: 0, result: 'satisfied' }]);
      const [last] = graderRequests(stack).slice(-1);
      expect(JSON.stringify(last?.messages.at(-1))).toMatch(/"text":"1(\\n)?"/);
    },
    180_000,
  );
});

test('an interrupt while the grader looks ends the outcome, and its sandbox is let go', async () => {
  const session = await start('a slow look');
  const began = graderRequests(stack).length;
  await expect.poll(() => graderRequests(stack).length, { timeout: 30_000 }).toBeGreaterThan(began);
  await expect
    .poll(async () => (await sandboxesOf(session)).filter((record) => record.copy).length, { timeout: 20_000 })
    .toBe(1);
  await api.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
  const log = await toIdle(api.client, session);
  expect(log.ends).toMatchObject([{ result: 'interrupted' }]);
  await expect
    .poll(async () => (await sandboxesOf(session)).filter((record) => record.copy), { timeout: 20_000 })
    .toMatchObject([{ state: 'gone' }]);
}, 120_000);

describe('a grading command', () => {
  const command = 'test -e ready || { echo "not ready yet"; exit 3; }';

  test('alone: its exit code and output are the verdict, and no model grades', async () => {
    const before = graderRequests(stack).length;
    const session = await start('make it ready', {
      'longhand.grader_command': command,
      'longhand.grader_mode': 'command',
    });
    const log = await toIdle(api.client, session, 1, 90_000);
    expect(log.ends.map((end) => end.result)).toEqual(['needs_revision', 'satisfied']);
    expect(log.ends[0]?.explanation).toContain('not ready yet');
    expect(log.ends[0]?.explanation).toContain('exit code 3');
    expect(graderRequests(stack).length).toBe(before);
    expect(await judgedFiles(session)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.any(String)]);
  }, 120_000);

  test('before the model: the model judges only what has passed, and sees the output', async () => {
    const before = graderRequests(stack).length;
    const session = await start('make it ready', { 'longhand.grader_command': command });
    const log = await toIdle(api.client, session, 1, 90_000);
    expect(log.ends.map((end) => end.result)).toEqual(['needs_revision', 'satisfied']);
    expect(log.ends[1]?.explanation).toBe('The model agrees.');
    expect(graderRequests(stack).length).toBe(before + 1);
  }, 120_000);

  test('that takes too long has failed, and says so', async () => {
    const session = await start(
      'make it ready',
      {
        'longhand.grader_command': 'echo begun; sleep 60',
        'longhand.grader_timeout_ms': '800',
        'longhand.grader_mode': 'command',
      },
      { max_iterations: 1 },
    );
    const log = await toIdle(api.client, session, 1, 90_000);
    expect(log.ends).toMatchObject([{ result: 'max_iterations_reached' }]);
    expect(log.ends[0]?.explanation).toContain('Timed out after 800 ms');
  }, 120_000);
});

test('the grader’s model is the one that the metadata names', async () => {
  const session = await start('plain work', { 'longhand.grader_model': 'claude-haiku-4-5' });
  await toIdle(api.client, session);
  expect(graderRequests(stack).at(-1)?.model).toContain('haiku');
  expect(JSON.stringify(await eventsOf(api.client, session))).not.toContain('haiku');
}, 90_000);
