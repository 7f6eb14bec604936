/** `npm run demo` as a person runs it: real servers, real sandboxes, a real kill. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { longhand } from '../test/support/run-longhand.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-demo-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the demo loses a brain in a tool call, runs nothing twice, and brings its files out, whatever servers are set', async () => {
  const { code, stdout, stderr } = await longhand(
    ['demo'],
    {
      DATABASE_URL: 'postgres://nobody@192.0.2.1/none',
      TEMPORAL_ADDRESS: '192.0.2.1:7233',
      BLOB_URL: 's3://nowhere/at-all',
    },
    folder,
  );
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(stdout).toContain('each once: nothing ran twice');
  const out = join(folder, 'longhand-demo');
  expect((await readdir(out)).sort()).toEqual(['chart.svg', 'journal.log', 'report.md']);
  expect(await readFile(join(out, 'report.md'), 'utf8')).toContain('595,701.00 EUR');
}, 150_000);
