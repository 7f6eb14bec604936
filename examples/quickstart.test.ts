import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from '../rehearsal/rehearsal.ts';
import { type StandIn, startStandIn } from './demo/stand-in.ts';

let rehearsal: Rehearsal;
let standIn: StandIn;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quickstart-'));
  rehearsal = await startRehearsal({
    firstTokenMs: 50,
    script:
      'rehearsal: q\nturns:\n  - when: count\n    steps: [{ tools: [{ bash: echo 42 }] }, { text: "There are {{result.text | trim}}." }]',
  });
  standIn = await startStandIn({ model: rehearsal.url, folder });
});
afterAll(async () => {
  standIn.close();
  await rehearsal.close();
  rmSync(folder, { recursive: true });
});

/** Runs a program with nothing but the two variables that its readme names. */
async function run(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', ANTHROPIC_BASE_URL: standIn.url, ANTHROPIC_API_KEY: 'lh-any' };
  const { stdout } = await promisify(execFile)(program, args, { env, timeout: 30_000 });
  return stdout;
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const EXPECTED = '[bash] {"command":"echo 42"}\nThere are 42.\n';

test('the TypeScript quickstart runs with nothing but base URL and key', async () => {
  expect(await run(process.execPath, path('typescript/quickstart.ts'), 'count them')).toBe(EXPECTED);
});

const python = process.env.LONGHAND_TEST_PYTHON ?? 'python3';
const reason = missingPython();
test.skipIf(reason !== undefined)(`the Python quickstart does the same${reason ?? ''}`, async () => {
  expect(await run(python, path('python/quickstart.py'), 'count them')).toBe(EXPECTED.replace('":"', '": "'));
});

/** Why the Python test cannot run here, to be read in its name; undefined when it can. */
function missingPython(): string | undefined {
  try {
    execFileSync(python, ['-c', 'import anthropic; assert anthropic.__version__ >= "2"'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return ` (skipped: ${python} has no anthropic 2; set LONGHAND_TEST_PYTHON to one that has)`;
  }
}
