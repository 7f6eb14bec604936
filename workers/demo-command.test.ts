/** `npm run demo` as a person runs it: real servers, real sandboxes, a real kill. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { longhand } from '../test/support/run-longhand.ts';

const SCRIPT = fileURLToPath(new URL('../examples/demo/rehearsal.yaml', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-demo-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function expectItsFiles(stdout: string, inReport: string): Promise<void> {
  expect(stdout).toContain('each once: nothing ran twice');
  const out = join(folder, 'longhand-demo');
  expect((await readdir(out)).sort()).toEqual(['chart.svg', 'journal.log', 'report.md']);
  expect(await readFile(join(out, 'report.md'), 'utf8')).toContain(inReport);
}

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
  await expectItsFiles(stdout, '595,701.00 EUR');
}, 150_000);

test('--live asks the model provider that is set, with its key; without a key it says what is missing', async () => {
  const keyless = await longhand(['demo', '--live'], {}, folder);
  expect(keyless).toMatchObject({ code: 2, stderr: expect.stringContaining('MODEL_API_KEY') });

  const provider = await startRehearsal({ file: SCRIPT, firstTokenMs: 0 });
  try {
    const env = { MODEL_BASE_URL: provider.url, MODEL_API_KEY: 'rehearsal' };
    const { code, stdout, stderr } = await longhand(['demo', '--live'], env, folder);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    // A model that is paid for gets fewer rows.
    await expectItsFiles(stdout, '| read | 240 |');
  } finally {
    await provider.close();
  }
}, 150_000);
