/** The outcome example against a real Longhand: a document fails its rubric twice and passes at the third time. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RehearsalFile } from '../rehearsal/rehearsal.ts';
import { startTestApi, type TestApi } from '../test/support/api.ts';
import { type Stack, startStack } from '../test/support/stack.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  const script = parse(await readFile(path('outcome.rehearsal.yaml'), 'utf8')) as RehearsalFile;
  stack = await startStack({ hands: true, script });
  api = await startTestApi(stack);
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

test('the document fails its rubric twice, passes at the third time, and the program says why', async () => {
  const env = { PATH: process.env.PATH ?? '', ANTHROPIC_BASE_URL: api.url, ANTHROPIC_API_KEY: api.key };
  const { stdout } = await promisify(execFile)(process.execPath, [path('outcome.ts')], { env, timeout: 90_000 });
  expect(stdout.replace(/\d+ tokens/, 'N tokens')).toBe(`[write]
evaluation 0: needs_revision
"Soon" is no date, and nobody decides.
- Not met: 2. It names a date for the release.
  Evidence: line 3: "soon"
- Not met: 3. It says who decides.
  Evidence: nobody is named in the file
[bash]
evaluation 1: needs_revision
Name a person who decides.
- Not met: 3. It says who decides.
  Evidence: nobody is named in the file
[bash]
evaluation 2: satisfied
Title, date and who decides are all there.
outcome: satisfied, N tokens written, the grader's among them
`);
}, 120_000);
