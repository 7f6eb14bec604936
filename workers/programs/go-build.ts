/** Building a program with Go from its pinned module in `tools/go/`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onPath } from './executable.ts';
import type { Program } from './program.ts';

const PROGRESS_MS = 10_000;

/**
 * @param path - where the executable goes.
 * @throws Error without `go` on PATH, and with the compiler's last lines when the build fails.
 */
export async function goBuild(
  program: Program,
  path: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<void> {
  const go = await onPath('go', env);
  if (go === undefined) throw new Error('there is no "go" on PATH');
  onProgress(`Building ${program.name} ${program.version} with Go (${program.goBuildTime}).`);
  const started = Date.now();
  const ticking = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    onProgress(`Building ${program.name}: ${seconds} s so far (expected: ${program.goBuildTime}).`);
  }, PROGRESS_MS);
  try {
    await run(go, ['build', ...program.goFlags, '-o', path, program.goPackage], {
      cwd: fileURLToPath(new URL(`../../tools/go/${program.goModule}`, import.meta.url)),
      // No program needs C; without it no compiler has to be installed.
      env: { ...env, CGO_ENABLED: '0', GOWORK: 'off' },
    });
  } finally {
    clearInterval(ticking);
  }
  onProgress(`Built ${program.name} in ${Math.round((Date.now() - started) / 1000)} s.`);
}

function run(program: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let words = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        words = (words + text).slice(-2_000);
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`"go ${args.join(' ')}" ended with ${signal ?? `exit ${code}`}:\n${words.trim()}`));
    });
  });
}
