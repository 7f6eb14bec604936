/**
 * The demo: one session from start to end through the official SDK, with the brain killed in the middle of a command.
 * It knows the API and what is injected here, nothing else; whoever starts the parts (`longhand demo`) calls it.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { createScreen, type Output, type Screen } from '../../client/command-line/screen.ts';
import { size } from '../../client/command-line/show-event.ts';
import { confirmFrom, type Input } from './confirm.ts';
import { follow } from './follow.ts';
import { type Claim, judge } from './proof.ts';
import { agentParams, BATCHES, CHART, JOURNAL, OUTPUTS, REPORT, taskMessage } from './task.ts';

export interface DemoOptions {
  baseURL: string;
  apiKey: string;
  /** Kills the process that runs the model calls with SIGKILL. Resolves to its id. */
  killBrain(): number | Promise<number>;
  /** Brings one file out of a session's sandbox. Rejects when there is none. */
  getFile(sessionId: string, path: string): Promise<Uint8Array>;
  /** Where a person sees the session in the Temporal UI. */
  sessionUrl(sessionId: string): string;
  /** Folder for report, chart and journal; made when it is not there. */
  outputFolder: string;
  /** Talk to a real model. Sends only the first rows of the file, for the model has to type them out again. */
  live?: boolean;
  /** Default claude-opus-5-5. */
  model?: string;
  /** Milliseconds that a command runs before the brain is killed. Default 4,000. */
  killAfterMs?: number;
  /** Most that the kill may cost, ms. Default 6,000. */
  allowedMs?: number;
  /** Most that the whole session may take, ms. Default 3 minutes, live 15. */
  timeoutMs?: number;
  /** Default: stdout and stdin. Without a terminal at both, the demo answers for the person. */
  output?: Output;
  input?: Input;
  env?: NodeJS.ProcessEnv;
}

export interface DemoResult {
  exitCode: 0 | 1;
  /** What was not as it should be; empty when the exit code is 0. */
  deviations: string[];
  sessionId?: string;
  lostMs?: number;
  /** Absolute paths of what was brought out. */
  files: string[];
}

/** Rows of the file that a real model gets. */
const LIVE_ROWS = 240;

/** Never throws: whatever goes wrong is a deviation. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const output = options.output ?? process.stdout;
  const screen = createScreen(output, options.env);
  const result: DemoResult = { exitCode: 1, deviations: [], files: [] };
  try {
    await play(options, screen, output, result);
  } catch (error) {
    result.deviations.push(explain(error, options.baseURL));
  }
  result.exitCode = result.deviations.length === 0 ? 0 : 1;
  close(screen, options, result);
  return result;
}

function explain(error: unknown, baseURL: string): string {
  if (error instanceof Anthropic.APIConnectionError) return `nothing answers at ${baseURL}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

async function play(options: DemoOptions, screen: Screen, output: Output, result: DemoResult): Promise<void> {
  const client = new Anthropic({ baseURL: options.baseURL, apiKey: options.apiKey, authToken: null });
  const model = options.model ?? 'claude-opus-5-5';
  screen.heading('Longhand: one session, and a brain that dies on the way');
  const agent = await client.beta.agents.create(agentParams(model));
  const environment = await client.beta.environments.create({ name: `demo ${new Date().toISOString()}` });
  const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id, title: 'Demo' });
  result.sessionId = session.id;
  screen.line('agent', `${agent.name}, version ${agent.version}  ${agent.id}`, 'dim');
  screen.line('session', session.id, 'dim');
  screen.line('watch', options.sessionUrl(session.id), 'dim');
  screen.line(
    'model',
    options.live ? `${model}, a real model` : 'a rehearsal: a script speaks, the tools run for real',
    'dim',
  );

  const csv = await readFile(new URL('orders.csv', import.meta.url), 'utf8');
  const rows = options.live ? LIVE_ROWS : undefined;
  screen.line('you', `Clean orders.csv, compute, write a report and a chart.  (${size(csv.length)})`, 'bold');
  const followed = await follow({
    client,
    sessionId: session.id,
    message: taskMessage(csv, rows),
    screen,
    confirm: confirmFrom(screen, output, options.input ?? process.stdin),
    killBrain: options.killBrain,
    killAfterMs: options.killAfterMs ?? 4_000,
    timeoutMs: options.timeoutMs ?? (options.live ? 900_000 : 180_000),
  });
  result.deviations.push(...followed.deviations);

  const files = await bringOut(options, session.id, result);
  const report = files.get(REPORT);
  if (report) {
    screen.heading(REPORT);
    screen.block(report.replaceAll(/^/gm, '  ').trimEnd());
  }
  const verdict = judge({
    events: followed.events,
    journal: files.get(JOURNAL)?.trimEnd().split('\n'),
    killedDuring: followed.killedDuring,
    batches: BATCHES,
    allowedMs: options.allowedMs ?? 6_000,
  });
  if (verdict.lostMs !== undefined) result.lostMs = verdict.lostMs;
  showProof(screen, verdict.claims, files.get(JOURNAL));
  result.deviations.push(...verdict.claims.filter((claim) => !claim.holds).map((claim) => claim.text));
}

/** Brings the files of the task out; what is missing, or not what it should be, is a deviation. */
async function bringOut(options: DemoOptions, sessionId: string, result: DemoResult): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  await mkdir(options.outputFolder, { recursive: true });
  for (const name of [REPORT, CHART, JOURNAL]) {
    try {
      const bytes = await options.getFile(sessionId, `${OUTPUTS}/${name}`);
      const path = join(options.outputFolder, name);
      await writeFile(path, bytes);
      files.set(name, Buffer.from(bytes).toString('utf8'));
      result.files.push(path);
    } catch (error) {
      result.deviations.push(
        `${name} could not be brought out: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  const chart = files.get(CHART);
  if (chart !== undefined && !chart.includes('<svg')) result.deviations.push(`${CHART} is not an SVG`);
  if (files.get(REPORT)?.trim() === '') result.deviations.push(`${REPORT} is empty`);
  return files;
}

function showProof(screen: Screen, claims: Claim[], journal: string | undefined): void {
  screen.heading('Proof');
  for (const claim of claims) screen.line(claim.holds ? '✓' : '✗', claim.text, claim.holds ? 'plain' : 'red');
  if (journal) screen.detail(journal.trimEnd().split('\n'));
}

function close(screen: Screen, options: DemoOptions, result: DemoResult): void {
  screen.heading(result.exitCode === 0 ? 'As promised' : 'Not as promised');
  for (const deviation of result.deviations) screen.line('deviation', deviation, 'red');
  for (const file of result.files) screen.line('file', file);
  if (result.sessionId) screen.line('Temporal', options.sessionUrl(result.sessionId));
  screen.block('');
}
