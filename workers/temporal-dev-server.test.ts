import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from './free-port.ts';
import { findTemporal } from './programs/find-program.ts';
import { startTemporalDevServer, type TemporalDevServer } from './temporal-dev-server.ts';
import { ensureSearchAttributes, retentionDays } from './temporal-namespace.ts';

let home: string;
let program: string;
let port: number;
let server: TemporalDevServer;
let connection: Connection;

async function start(): Promise<TemporalDevServer> {
  return await startTemporalDevServer({
    program,
    dbFile: join(home, 'temporal.db'),
    port,
    uiPort: await freePort(),
    namespace: 'default',
    env: { HOME: home, PATH: '/usr/bin:/bin' },
    onLine: () => undefined,
  });
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-temporal-'));
  program = await findTemporal({ onProgress: (line) => console.log(line) });
  port = await freePort();
  server = await start();
  connection = await Connection.connect({ address: server.address });
}, 900_000);

afterAll(async () => {
  await connection?.close();
  await server?.stop();
  await rm(home, { recursive: true, force: true });
});

/** All ports that the server listens on. */
async function listeningPorts(): Promise<number[]> {
  const inodes = new Set<string>();
  const folder = `/proc/${server.pid}/fd`;
  for (const fd of await readdir(folder)) {
    const target = await readlink(join(folder, fd)).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode) inodes.add(inode);
  }
  const ports: number[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && inode && inodes.has(inode)) ports.push(Number.parseInt(local?.split(':')[1] ?? '', 16));
    }
  }
  return ports;
}

test('no port of it takes a signal by HTTP, as a web page would forge it', async () => {
  const client = new Client({ connection });
  const handle = await client.workflow.start('waits', { taskQueue: 'nobody', workflowId: 'forge' });
  const ports = await listeningPorts();
  expect(ports.length).toBeGreaterThan(2);
  const answers: string[] = [];
  for (const target of ports) {
    for (const host of [`127.0.0.1:${target}`, 'evil.example']) {
      const path = '/namespaces/default/workflows/forge/signal/post';
      for (const prefix of ['/api/v1', '']) {
        answers.push(`${host} ${await curl(`http://127.0.0.1:${target}${prefix}${path}`, host)}`);
      }
    }
  }
  const history = await handle.fetchHistory();
  const signalled = (history.events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes);
  expect(signalled, answers.join('\n')).toEqual([]);
  await handle.terminate();
}, 60_000);

/** `fetch` does not let a caller choose the Host header. */
async function curl(url: string, host: string): Promise<string> {
  const args = ['-s', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'POST', '-H', `Host: ${host}`];
  args.push('-H', 'Origin: http://evil.example', '-H', 'Content-Type: text/plain', '-d', '{"input":[]}', url);
  return await new Promise((resolve) => execFile('curl', args, (_error, stdout) => resolve(stdout)));
}

test('the namespace keeps closed runs for 30 days, and knows the search attributes', async () => {
  expect(await retentionDays(connection, 'default')).toBe(30);
  const listed = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(listed.customAttributes).toMatchObject({ LonghandAgent: 2, LonghandStatus: 2, LonghandWorkspace: 2 });
  await ensureSearchAttributes(connection, 'default');
});

test('a workflow and the retention are there after SIGKILL of the server', async () => {
  const client = new Client({ connection });
  const handle = await client.workflow.start('waits', { taskQueue: 'nobody', workflowId: 'kept' });
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  await connection.close();
  // A namespace whose retention is short again, as after an upgrade, is put right at the next start.
  server = await start();
  connection = await Connection.connect({ address: server.address });
  const found = await new Client({ connection }).workflow.getHandle('kept', handle.firstExecutionRunId).describe();
  expect(found.status.name).toBe('RUNNING');
  expect(await retentionDays(connection, 'default')).toBe(30);
}, 60_000);

test('a server that is already on the port is not taken for the new one', async () => {
  await expect(start()).rejects.toThrow(`Port ${port} of 127.0.0.1 is in use.`);
}, 60_000);
