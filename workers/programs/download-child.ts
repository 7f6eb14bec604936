/** Runs as a process of its own: `download-child.ts <temporal|runsc> <path>`. The last line on stderr is the reason. */
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RUNSC, TEMPORAL } from './program.ts';

const REACH_MS = 4_000;

async function main(name: string | undefined, path: string | undefined): Promise<void> {
  if (path === undefined) throw new Error('usage: download-child.ts <temporal|runsc> <path>');
  const program = name === 'temporal' ? TEMPORAL : RUNSC;
  await reach(program.downloadUrl);
  console.log(`Downloading ${program.name} from ${new URL(program.downloadUrl).host}.`);
  await (program === TEMPORAL ? downloadTemporal(path) : downloadRunsc(path));
}

/** A host that cannot be reached must cost seconds, and the libraries below have patience of their own. */
async function reach(url: string): Promise<void> {
  const host = new URL(url).host;
  let status: number;
  try {
    const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) });
    status = answer.status;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${host} cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  // Some hosts answer HEAD with 405 and GET with the file.
  if (status >= 400 && status !== 405) throw new Error(`${host} answered ${status} for ${url}`);
}

/** `@temporalio/testing` knows how: it downloads the pinned version, and starts it once. */
async function downloadTemporal(path: string): Promise<void> {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const folder = await mkdtemp(join(dirname(path), 'download-'));
  const server = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', version: `v${TEMPORAL.version}`, downloadDir: folder } },
  });
  await server.teardown();
  const [file] = (await readdir(folder)).filter((name) => name.startsWith('temporal'));
  if (file === undefined) throw new Error('the download left no file');
  await copyFile(join(folder, file), path);
  await rm(folder, { recursive: true });
}

/** gVisor's release, compared with the checksum that is published beside it. */
async function downloadRunsc(path: string): Promise<void> {
  const [file, sums] = await Promise.all([get(RUNSC.downloadUrl), get(`${RUNSC.downloadUrl}.sha512`)]);
  const wanted = sums.toString('utf8').trim().split(/\s+/)[0];
  const found = createHash('sha512').update(file).digest('hex');
  if (found !== wanted) throw new Error(`the checksum of ${RUNSC.downloadUrl} is ${found}, not ${wanted}`);
  await writeFile(path, file, { mode: 0o755 });
}

async function get(url: string): Promise<Buffer> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

try {
  await main(process.argv[2], process.argv[3]);
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
