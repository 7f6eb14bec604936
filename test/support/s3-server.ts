/** A real S3-compatible store on loopback, over a temporary folder. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../workers/free-port.ts';
import { findProgram } from '../../workers/programs/find-program.ts';
import { S3_SERVER } from '../../workers/programs/program.ts';

export interface S3Server {
  endpoint: string;
  /** The name of a bucket that is there. */
  bucket: string;
  /** BLOB_URL of a prefix in the bucket. */
  blobUrl(prefix: string): string;
  /** Credentials, as every AWS program reads them. */
  env: Record<string, string>;
  /** Folder of the bucket: its objects are files in it. */
  folder: string;
  stop(): Promise<void>;
}

export async function startS3Server(): Promise<S3Server> {
  const program = await findProgram(S3_SERVER, { onProgress: (line) => console.log(line) });
  const root = await mkdtemp(join(tmpdir(), 'longhand-s3-'));
  const bucket = 'longhand-test';
  const folder = join(root, 'buckets', bucket);
  await mkdir(folder, { recursive: true });
  await mkdir(join(root, 'iam'));
  const port = await freePort();
  const env = { AWS_ACCESS_KEY_ID: 'test-access', AWS_SECRET_ACCESS_KEY: 'test-secret', AWS_REGION: 'us-east-1' };
  const args = ['--port', `127.0.0.1:${port}`, '--quiet', '--iam-dir', join(root, 'iam')];
  const child = spawn(program, [...args, 'posix', join(root, 'buckets')], {
    env: { ROOT_ACCESS_KEY: env.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: env.AWS_SECRET_ACCESS_KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const endpoint = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 30_000; !(await fetch(endpoint).catch(() => undefined)); await sleep(50)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`The S3 server did not start:\n${said}`);
  }
  return {
    endpoint,
    bucket,
    blobUrl: (prefix) => `s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(endpoint)}&path_style=true`,
    env,
    folder,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      await rm(root, { recursive: true, force: true });
    },
  };
}
