/** The machine: Node, sandboxes, and the programs that are not npm packages. */
import { execFile } from 'node:child_process';
import { obstacles, sandboxFacts } from '../sandbox/gvisor/preflight.ts';
import type { Examination, Finding } from './doctor.ts';
import { isExecutable, onPath } from './programs/executable.ts';
import { locateProgram } from './programs/find-program.ts';
import { type Program, RUNSC, TEMPORAL } from './programs/program.ts';
import { temporalTarget } from './temporal-connection.ts';

const OLDEST_NODE = 24;

export async function checkMachine(given: Examination): Promise<Finding[]> {
  const { part, env } = given;
  const sandboxes = part === undefined || part === 'hands';
  return [
    nodeFinding(),
    ...(sandboxes ? await handsFindings(given) : []),
    ...(part === undefined && !temporalTarget(env) ? [await programFinding('temporal', TEMPORAL, env)] : []),
  ];
}

/** `bin/longhand.mjs` starts the right one; another way of starting may not. */
function nodeFinding(): Finding {
  const found = `Node ${process.versions.node}`;
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) return { check: 'node', status: 'ok', found };
  return {
    check: 'node',
    status: 'missing',
    found,
    fix: `install Node ${OLDEST_NODE}, or run "npm ci", which brings it`,
  };
}

async function handsFindings(given: Examination): Promise<Finding[]> {
  if (given.settings.LONGHAND_SANDBOX === 'gvisor') {
    return [...(await sandboxFindings(given)), await runscFinding(given)];
  }
  const image = given.settings.LONGHAND_SANDBOX_IMAGE;
  if (!image) {
    const fix = 'set LONGHAND_SANDBOX_IMAGE to the image that sandboxes run';
    return [{ check: 'sandbox', status: 'missing', found: 'sandboxes on Kubernetes, without an image', fix }];
  }
  const found = 'sandboxes run on Kubernetes; the hands worker proves at its start that they are isolated';
  return [{ check: 'sandbox', status: 'ok', found }];
}

async function sandboxFindings({ settings }: Examination): Promise<Finding[]> {
  const found = obstacles(await sandboxFacts(settings.LONGHAND_HOME));
  if (found.length === 0) return [{ check: 'sandbox', status: 'ok', found: 'this machine lets sandboxes be made' }];
  return found.map(({ cause, fix }) => ({ check: 'sandbox', status: 'missing', found: cause, fix }));
}

async function runscFinding({ settings, env }: Examination): Promise<Finding> {
  const given = settings.LONGHAND_RUNSC;
  if (given === undefined) return await programFinding('runsc', RUNSC, env);
  if (await isExecutable(given)) return await runs('runsc', given);
  const fix = 'give the path of a runsc program, or unset it';
  return { check: 'runsc', status: 'missing', found: `LONGHAND_RUNSC is "${given}", not an executable file`, fix };
}

async function programFinding(check: string, program: Program, env: NodeJS.ProcessEnv): Promise<Finding> {
  const path = await locateProgram(program, { env });
  if (path !== undefined) return await runs(check, path);
  const go = await onPath('go', env);
  return {
    check,
    status: 'warning',
    found: `not here yet: the first start downloads it, or builds it with Go (${go ?? 'there is no "go" on PATH'})`,
    fix: `run \`longhand obtain\`, or ${program.otherWay}`,
  };
}

/** A file of another architecture, or without its libraries, is executable and does not run. */
async function runs(check: string, path: string): Promise<Finding> {
  return await new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: 10_000, env: {} }, (error, stdout) => {
      const words = stdout.split('\n')[0]?.trim() ?? '';
      if (error === null) return resolve({ check, status: 'ok', found: `${path}${words ? ` (${words})` : ''}` });
      const fix = 'remove that file, then run `longhand obtain`';
      resolve({ check, status: 'missing', found: `${path} does not run: ${error.message.split('\n')[0]}`, fix });
    });
  });
}
