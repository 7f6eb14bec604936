/** A `longhand` command as a person runs it: a process of its own, with exactly the environment that it is given. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const LONGHAND = fileURLToPath(new URL('../../bin/longhand.mjs', import.meta.url));

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs it to its end, whatever that is. @param cwd - default: this process's. */
export async function longhand(args: string[], env: Record<string, string>, cwd?: string): Promise<Outcome> {
  const whole = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env };
  return await new Promise((resolve) => {
    execFile(process.execPath, [LONGHAND, ...args], { env: whole, cwd, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

/** Runs it to its good end. @throws Error with its words. */
export async function runLonghand(args: string[], env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await longhand(args, env);
  if (code !== 0) throw new Error(`longhand ${args.join(' ')} ended with exit code ${code}:\n${stdout}${stderr}`);
  return stdout;
}
