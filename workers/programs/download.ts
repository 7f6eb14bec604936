/**
 * The official downloads. They run in a child process: it can be ended whatever it waits for, and it honours the
 * machine's HTTPS_PROXY.
 */
import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Program } from './program.ts';

/** The whole download. That the host answers at all is asked first, within 4 s (see download-child.ts). */
const DOWNLOAD_MS = 180_000;

/** `.ts` in a checkout, `.js` in the installed package. */
const CHILD = fileURLToPath(new URL(`./download-child${extname(import.meta.url)}`, import.meta.url));

/** @throws Error with the reason, in one line. */
export async function download(program: Program, path: string, onProgress: (line: string) => void): Promise<void> {
  const child = spawn(process.execPath, ['--use-env-proxy', CHILD, program.name, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DOWNLOAD_MS,
    killSignal: 'SIGKILL',
  });
  let reason = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => onProgress(text.trim()));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    reason = (reason + text).slice(-1_000);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else if (signal) reject(new Error(`the download took longer than ${DOWNLOAD_MS / 1000} s`));
      else reject(new Error(reason.trim().split('\n').at(-1) ?? `exit ${code}`));
    });
  });
}
