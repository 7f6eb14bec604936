import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../rehearsal/rehearsal.ts';
import type { Input } from './confirm.ts';
import { type DemoResult, runDemo } from './demo.ts';
import { type StandIn, type StandInOptions, startStandIn } from './stand-in.ts';

let folder: string;
let rehearsal: Rehearsal;
let standIn: StandIn;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'demo-'));
  rehearsal = await startRehearsal({
    file: fileURLToPath(new URL('rehearsal.yaml', import.meta.url)),
    firstTokenMs: 0,
  });
});
afterEach(async () => {
  standIn.close();
  await rehearsal.close();
  rmSync(folder, { recursive: true });
});

interface Run {
  result: DemoResult;
  text: string;
}

async function run(
  fault?: StandInOptions['fault'],
  options: { input?: Input; tty?: boolean; timeoutMs?: number } = {},
): Promise<Run> {
  standIn = await startStandIn({ model: rehearsal.url, folder: join(folder, 'sandbox'), fault });
  let text = '';
  const result = await runDemo({
    baseURL: standIn.url,
    apiKey: 'lh-any',
    killBrain: killSomeProcess,
    getFile: standIn.getFile,
    sessionUrl: (id) => `temporal-ui/${id}`,
    outputFolder: join(folder, 'out'),
    killAfterMs: 400,
    allowedMs: 300,
    timeoutMs: options.timeoutMs ?? 30_000,
    env: {},
    input: options.input ?? new PassThrough(),
    output: { write: (part) => (text += part), isTTY: options.tty },
  });
  return { result, text };
}

/** Stands for the brain. */
async function killSomeProcess(): Promise<number> {
  const brain = spawn('sleep', ['30']);
  const pid = brain.pid ?? 0;
  brain.kill('SIGKILL');
  return pid;
}

test('the demo does what it promises, and shows it', async () => {
  const { result, text } = await run();
  expect(result).toMatchObject({ exitCode: 0, deviations: [], sessionId: 'sesn_standin' });
  expect(result.lostMs).toBeLessThan(300);
  expect(result.files.map((file) => file.split('/').pop())).toEqual(['report.md', 'chart.svg', 'journal.log']);
  for (const shown of [
    'to the brain, in the middle of this command',
    'is gone',
    'nobody at a terminal',
    '✓ ',
    'each once: nothing ran twice',
    'temporal-ui/sesn_standin',
    '# Orders of the year',
  ])
    expect(text).toContain(shown);
  expect(text).not.toContain('\u001B[');
});

test('the report holds what an independent count of the file gives', async () => {
  await run();
  const report = readFileSync(join(folder, 'out', 'report.md'), 'utf8');
  expect(report).toMatch(/^Status: final\n/);
  for (const fact of [
    '**595,701.00 EUR** from 2371 orders',
    '| read | 3000 |',
    '| duplicates dropped | 110 |',
    '| kept | 2708 |',
    '| 182 |',
  ])
    expect(report).toContain(fact);
  const chart = readFileSync(join(folder, 'out', 'chart.svg'), 'utf8');
  expect(chart.match(/<rect /g)).toHaveLength(13);
});

test.each<[NonNullable<StandInOptions['fault']>, RegExp]>([
  ['runs twice', /ran twice, says the journal: batch 1, 2/],
  ['fails', /the call that was running at the kill ended with an error/],
  ['loses its result', /never got a result/],
  ['resumes late', /s from the end of the command to the next model request/],
])('a command that %s is a deviation, and the exit code is 1', async (fault, expected) => {
  const { result, text } = await run(fault);
  expect(result.exitCode).toBe(1);
  expect(result.deviations.join('\n')).toMatch(expected);
  expect(text).toContain('Not as promised');
});

test('a person at the terminal is asked, and a no leaves the report a draft', async () => {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  input.write('n\n');
  const { result, text } = await run(undefined, { input, tty: true });
  expect(text).toContain('May it edit /mnt/session/outputs/report.md');
  expect(text).toContain('I left the report as a draft');
  expect(text).toContain('\u001B[');
  expect(readFileSync(join(folder, 'out', 'report.md'), 'utf8')).toMatch(/^Status: draft\n/);
  expect(result).toMatchObject({ exitCode: 0, deviations: [] });
});

test('a server that is not there is one line, not a stack trace', async () => {
  standIn = await startStandIn({ model: rehearsal.url, folder });
  const { url } = standIn;
  standIn.close();
  let text = '';
  const result = await runDemo({
    baseURL: url,
    apiKey: 'x',
    killBrain: killSomeProcess,
    getFile: standIn.getFile,
    sessionUrl: (id) => id,
    outputFolder: folder,
    output: { write: (part) => (text += part) },
  });
  expect(result).toMatchObject({ exitCode: 1, deviations: [`nothing answers at ${url}: Connection error.`] });
  expect(text).toContain('Connection error.');
});
