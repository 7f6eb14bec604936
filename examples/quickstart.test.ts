/** The quickstarts, written for the hosted API, against a real Longhand. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../test/support/api.ts';
import { pythonWithSdk } from '../test/support/python.ts';
import { type Stack, startStack } from '../test/support/stack.ts';

const REPORT =
  "cd /mnt/session/uploads/data && awk -F, 'NR > 1 { sum += $2 } END { print sum }' sales.csv | tee /mnt/session/outputs/report.txt";

let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Quickstart',
      turns: [
        {
          when: 'Add up the sales',
          steps: [
            { tools: [{ bash: REPORT }] },
            { text: 'The sales are {{result.text | trim}} in all; the report is written.' },
          ],
        },
        { when: 'count', steps: [{ tools: [{ bash: 'echo 42' }] }, { text: 'There are {{result.text | trim}}.' }] },
      ],
    },
  });
  api = await startTestApi(stack);
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

/** Runs a program with nothing but the two variables that its readme names. */
async function run(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', ANTHROPIC_BASE_URL: api.url, ANTHROPIC_API_KEY: api.key };
  const { stdout } = await promisify(execFile)(program, args, { env, timeout: 60_000 });
  return stdout;
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const EXPECTED = '[bash] {"command":"echo 42"}\nThere are 42.\n';

test('the TypeScript quickstart runs with nothing but base URL and key', async () => {
  expect(await run(process.execPath, path('typescript/quickstart.ts'), 'count them')).toBe(EXPECTED);
}, 90_000);

test('a file goes in at a relative path, and what was made of it comes out', async () => {
  expect(await run(process.execPath, path('typescript/files.ts'))).toBe(
    'mounted at /mnt/session/uploads/data/sales.csv\nThe sales are 400 in all; the report is written.\nreport.txt: 400\n',
  );
}, 90_000);

test('the Python quickstart does the same', async () => {
  const python = await pythonWithSdk();
  expect(await run(python, path('python/quickstart.py'), 'count them')).toBe(EXPECTED.replace('":"', '": "'));
}, 300_000);
