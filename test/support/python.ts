/** Pythons with what tests need, each in a virtual environment in the user's cache: made once, by the first test that asks. */
import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../workers/programs/cache.ts';

/** As examples/python/requirements.txt allows. */
const ANTHROPIC = '2.11.0';
/** Sends what the API's description allows, and what it forbids. */
const SCHEMATHESIS = '4.32.5';
const OPENAPI_SPEC_VALIDATOR = '0.9.0';
const run = promisify(execFile);

/** Path of a Python interpreter that has the official SDK. Rejects with what is missing on this machine. */
export function pythonWithSdk(): Promise<string> {
  return pythonWith(`python-anthropic-${ANTHROPIC}`, [`anthropic==${ANTHROPIC}`]);
}

/** The same with schemathesis, and a validator of OpenAPI documents. */
export function pythonWithSchemathesis(): Promise<string> {
  return pythonWith(`python-schemathesis-${SCHEMATHESIS}`, [
    `schemathesis==${SCHEMATHESIS}`,
    `openapi-spec-validator==${OPENAPI_SPEC_VALIDATOR}`,
  ]);
}

async function pythonWith(name: string, packages: string[]): Promise<string> {
  const folder = join(cacheFolder(), name);
  const python = join(folder, 'bin', 'python');
  const there = await access(python).then(
    () => true,
    () => false,
  );
  if (there) return python;
  // Made aside and renamed when whole; its interpreter works after a rename, which is all that is used of it.
  const making = `${folder}.${process.pid}`;
  await mkdir(cacheFolder(), { recursive: true });
  try {
    await run('python3', ['-m', 'venv', making]);
    await run(join(making, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...packages], { timeout: 180_000 });
    await rename(making, folder);
    return python;
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw new Error(`No Python with ${packages.join(' and ')} could be made (python3 with venv is needed): ${error}`);
  }
}
