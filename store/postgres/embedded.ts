/**
 * The embedded PostgreSQL: a real server of our own in a data folder, reachable over a Unix socket alone. The folder of
 * the socket (0700) is the lock on its door; there is no password.
 *
 * PostgreSQL refuses to run as root. As root it runs under an unprivileged uid, and gets its data folder as an open file
 * descriptor (`/proc/self/fd/3`): the folders above it, such as root's home, stay closed to that uid.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { type PostgresBinaries, postgresBinaries } from './binaries.ts';
import { initialise, runAs } from './cluster.ts';
import { clearEarlierServer } from './earlier.ts';
import { socketFolder, socketPath } from './socket.ts';

const USER = 'longhand';
const DATABASE = 'longhand';
/** Crash recovery of a large WAL takes a while; a server that is refusing connections is still coming up. */
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_MS = 15_000;
const HARD_STOP_MS = 5_000;

export interface PostgresOptions {
  /** Folder of the database cluster; made when it is not there. Its parent should be private (0700). */
  dataDir: string;
  /** false: no fsync, for tests. Default true: what is committed survives a power cut. */
  durable?: boolean;
  /** Gets the server's log, line by line. */
  onLog?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** For `pg`, `drizzle` and `psql`: `postgres://longhand@/longhand?host=<folder>`. The same after a restart. */
  url: string;
  /** Process id of the postmaster. */
  pid: number;
  /** Resolves when the server has ended, whoever ended it, with the way it ended for a person to read. */
  exited: Promise<string>;
  /** Ends open connections, writes a checkpoint and stops (fast shutdown). Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Starts the server and waits until it answers. What an earlier, killed run left behind (a stale `postmaster.pid`, a
 * server without a parent) is cleared away first; the caller makes sure that no other Longhand uses the folder.
 * @throws Error with the server's own words when it does not come up, and PostgresVersionError when the folder is of
 *   another major version.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await postgresBinaries();
  const { dataDir, durable = true } = options;
  await mkdir(join(dataDir, '..'), { recursive: true, mode: 0o700 });
  await initialise(binaries, dataDir, { user: USER, durable });
  await clearEarlierServer(dataDir);
  const owner = await runAs(dataDir);
  const folder = await socketFolder(dataDir, owner.uid);
  const server = await launch(binaries, dataDir, folder, owner, options);
  const exited = new Promise<string>((resolve) => {
    server.child.once('exit', (code, signal) =>
      resolve(signal ? `was ended by ${signal}` : `ended with exit code ${code}`),
    );
  });
  const url = databaseUrl(folder, DATABASE);
  try {
    await waitUntilReady(server, folder);
  } catch (error) {
    await stopServer(server.child);
    throw error;
  }
  const pid = server.child.pid ?? 0;
  const stop = async () => {
    await stopServer(server.child);
    await rm(folder, { recursive: true, force: true });
  };
  return { url, pid, exited, stop };
}

/** Where the server of this folder is, or would be: for other processes of the same user. */
export async function embeddedDatabaseUrl(dataDir: string): Promise<string> {
  return databaseUrl(await socketPath(dataDir), DATABASE);
}

/** The URL of one database of a server whose socket is in `folder`. */
function databaseUrl(folder: string, database: string): string {
  return `postgres://${USER}@/${database}?host=${encodeURIComponent(folder)}`;
}

interface Server {
  child: ChildProcess;
  /** The last lines of its log, for the error when it does not start. */
  lastLines: string[];
}

async function launch(
  binaries: PostgresBinaries,
  dataDir: string,
  socketDir: string,
  owner: { uid: number; gid: number },
  { durable = true, onLog }: PostgresOptions,
): Promise<Server> {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketDir,
    unix_socket_permissions: '0700',
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    max_connections: '100',
    shared_buffers: '64MB',
    // Nobody replicates from it: less WAL, and no idle helper processes.
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '256MB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
  };
  const root = await open(dataDir, 'r');
  try {
    const child = spawn(
      binaries.postgres,
      ['-D', '/proc/self/fd/3', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      {
        cwd: '/',
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
        stdio: ['ignore', 'ignore', 'pipe', root.fd],
        // A process group of its own: Ctrl-C on the terminal must not stop the database before its users.
        detached: true,
        ...(process.getuid?.() === 0 ? owner : {}),
      },
    );
    await once(child, 'spawn');
    return { child, lastLines: followLog(child, onLog) };
  } finally {
    await root.close();
  }
}

function followLog(child: ChildProcess, onLog?: (line: string) => void): string[] {
  const lastLines: string[] = [];
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      onLog?.(line);
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
    }
  });
  return lastLines;
}

async function waitUntilReady(server: Server, socketDir: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (hasEnded(server.child)) {
      throw new Error(`The embedded PostgreSQL did not start. Its last words:\n${server.lastLines.join('\n')}`);
    }
    if (await answers(socketDir)) return;
    if (Date.now() > deadline) {
      throw new Error(`The embedded PostgreSQL did not answer within ${START_TIMEOUT_MS / 1000} s.`);
    }
    await pause(10);
  }
}

/** Whether it takes connections; makes our database the first time. */
async function answers(socketDir: string): Promise<boolean> {
  if (!(await stat(join(socketDir, '.s.PGSQL.5432')).catch(() => undefined))) return false;
  const client = new Client({ connectionString: databaseUrl(socketDir, 'postgres') });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
    return true;
  } catch (error) {
    // 57P03: "the database system is starting up", also while it recovers from a crash.
    const code = (error as { code?: string }).code;
    if (code === '57P03' || code === 'ECONNREFUSED' || code === 'ENOENT') return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one; data is safe with each of them. */
async function stopServer(child: ChildProcess): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', HARD_STOP_MS],
    ['SIGKILL', HARD_STOP_MS],
  ] as const) {
    if (hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
