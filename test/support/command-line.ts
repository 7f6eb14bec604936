/** The `longhand` command as a process, as people run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/longhand.mjs', import.meta.url));

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

export interface RunningCommand {
  child: ChildProcess;
  /** What it has written so far. */
  out(): string;
  err(): string;
  ended: Promise<Outcome>;
}

/** @param env - its whole environment, besides PATH and HOME. */
export function startLonghand(args: string[], env: Record<string, string>, input = ''): RunningCommand {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, out: () => out, err: () => err, ended };
}

export async function longhand(args: string[], env: Record<string, string>, input = ''): Promise<Outcome> {
  return await startLonghand(args, env, input).ended;
}
