/** What the hands worker says of its sandboxes' health, in a file: the api reads it and needs no way into the hands. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const EVERY_MS = 10_000;

export interface SandboxReport {
  /** ms since the epoch. */
  at: number;
  /** Why sandboxes cannot be used; absent when they can. */
  problem?: string;
}

/**
 * Probes now and every 10 s, and writes each result. The first result is written before this resolves.
 * @param probe - throws with cause and fix when isolation cannot be had.
 * @returns ends it.
 */
export async function reportSandbox(stateFolder: string, probe: () => Promise<void>): Promise<() => void> {
  // Probing starts a sandbox, so a success is not asked for again; being alive is what the later reports say.
  let proved = false;
  const report = async () => {
    const problem = proved ? undefined : await probe().then(() => undefined, reasonOf);
    proved = problem === undefined;
    await writeReport(stateFolder, { at: Date.now(), ...(problem ? { problem } : {}) });
  };
  await report();
  const timer = setInterval(() => void report().catch(() => undefined), EVERY_MS);
  return () => clearInterval(timer);
}

export async function writeReport(stateFolder: string, report: SandboxReport): Promise<void> {
  const path = reportPath(stateFolder);
  await writeFile(`${path}.new`, JSON.stringify(report));
  await rename(`${path}.new`, path);
}

/** What is wrong with the sandboxes by the last report, or undefined. */
export async function sandboxProblem(stateFolder: string, now: number): Promise<string | undefined> {
  const text = await readFile(reportPath(stateFolder), 'utf8').catch(() => undefined);
  if (text === undefined) return 'the hands worker has not reported yet';
  const report = JSON.parse(text) as SandboxReport;
  if (report.problem !== undefined) return report.problem;
  const age = now - report.at;
  return age > 3 * EVERY_MS ? `the hands worker last reported ${Math.round(age / 1000)} s ago` : undefined;
}

function reportPath(stateFolder: string): string {
  return join(stateFolder, 'sandbox-report.json');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
