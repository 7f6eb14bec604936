/** The workflow code as one bundle for Temporal's sandbox, made once and kept in the cache folder. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundle } from '@temporalio/worker';

const ROOMS = ['workflows', 'events'];
/** `.ts` in a checkout, `.js` in the installed package. */
const CODE = extname(import.meta.url);
const root = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** For workers and clients: decodes signals without ever throwing. */
export const payloadConverterPath = root(`workflows/payload-converter${CODE}`);

/**
 * Bundling takes 2 s and 300 MB; a worker that starts after a crash must not wait for it. The name is a hash of all
 * that goes in, the SDK's version included.
 */
export async function workflowBundle(): Promise<WorkflowBundle> {
  const hash = createHash('sha256');
  const sdk = createRequire(import.meta.url).resolve('@temporalio/workflow/package.json');
  for (const path of [...(await sources()), sdk]) {
    hash
      .update(path === sdk ? 'sdk' : relative(root(''), path))
      .update('\0')
      .update(await readFile(path))
      .update('\0');
  }
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'longhand', 'workflows');
  const path = join(folder, `${hash.digest('hex')}.js`);
  const cached = await readFile(path, 'utf8').catch(() => undefined);
  if (cached !== undefined) return { code: cached };
  const bundle = await bundleWorkflowCode({
    workflowsPath: root(`workflows/index${CODE}`),
    payloadConverterPath,
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: console.error },
  });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.${process.pid}`, bundle.code);
  await rename(`${path}.${process.pid}`, path);
  return bundle;
}

async function sources(): Promise<string[]> {
  const lists = await Promise.all(
    ROOMS.map(async (room) =>
      (await readdir(root(room), { recursive: true }))
        .filter((name) => name.endsWith(CODE) && !/\.(test|d)\.ts$/.test(name))
        .map((name) => join(root(room), name)),
    ),
  );
  return lists.flat().sort();
}
