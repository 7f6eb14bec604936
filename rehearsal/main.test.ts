import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rehearsal-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, `${Math.random()}.yaml`);
  writeFileSync(path, content);
  return path;
}

function run(...args: string[]): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, _, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stderr }),
    );
  });
}

test('the program says at once that it is a rehearsal, answers, and stops when told to', async () => {
  const child = spawn(process.execPath, [MAIN, file('rehearsal: Hello'), '--port', '0']);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [, url = ''] = /^REHEARSAL, not a model: “Hello” .* at (\S+) /.exec(String(line)) ?? [];
  const response = await fetch(`${url}/v1/models`, {
    headers: { 'x-api-key': 'a', 'anthropic-version': '2023-06-01' },
  });
  expect([response.status, response.headers.get('x-rehearsal')]).toEqual([200, expect.stringContaining('script')]);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('what is wrong is a line for a person, never a stack trace', async () => {
  const bad = await run(file('rehearsal: x\nturns:\n  - steps: [{ txt: hi }]'));
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('turns.0.steps.0: Unrecognized key: "txt"') });
  const missing = await run(join(folder, 'nowhere.yaml'));
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file') });
  const port = await run(file('rehearsal: x'), '--port', 'many');
  expect(port).toMatchObject({ code: 2, stderr: expect.stringContaining('--port needs a whole number') });
  for (const { stderr } of [bad, missing, port]) expect(stderr).not.toMatch(/^\s+at /m);
});
