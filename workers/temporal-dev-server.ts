/**
 * Temporal's development server as a child process, with the settings that sessions need: its database in a file, the
 * latency settings of docs/performance.md, long retention, and a closed HTTP API.
 */

import { type Running, startProcess } from './child-process.ts';
import { isFree } from './free-port.ts';
import { connectTemporal } from './temporal-connection.ts';
import { dynamicConfig } from './temporal-dynamic-config.ts';
import { ensureRetention, ensureSearchAttributes, retentionDays } from './temporal-namespace.ts';

/** With SQLite's defaults each step costs an fsync more. A SIGKILL loses nothing with these (a power cut may). */
const SQLITE_PRAGMAS = ['journal_mode=wal', 'synchronous=normal'];

const READY_MS = 60_000;
const STOP_MS = 10_000;

export interface TemporalDevServerOptions {
  /** Path of the `temporal` executable. */
  program: string;
  /** Database file; absent: in memory, for tests. */
  dbFile?: string;
  /** Port of the gRPC frontend, on 127.0.0.1. */
  port: number;
  /** Port of the Web UI, on 127.0.0.1. Absent: no Web UI. */
  uiPort?: number;
  namespace: string;
  /** The child's environment; it needs HOME. */
  env: Record<string, string>;
  onLine: (line: string) => void;
  /** Gets the process id at once. */
  onSpawn?: (pid: number) => void;
}

export interface TemporalDevServer extends Running {
  /** `127.0.0.1:<port>` */
  address: string;
  /** Address of the Web UI. */
  uiUrl: string | undefined;
}

/**
 * Starts the server and waits until the namespace is ready for sessions (about 1 s).
 * @throws Error with the server's last words when it ends, or after 60 s.
 */
export async function startTemporalDevServer(options: TemporalDevServerOptions): Promise<TemporalDevServer> {
  const address = `127.0.0.1:${options.port}`;
  // Whoever listens there would otherwise be taken for our server.
  for (const port of [options.port, options.uiPort]) {
    if (port !== undefined && !(await isFree(port))) throw new Error(`Port ${port} of 127.0.0.1 is in use.`);
  }
  const lastLines: string[] = [];
  const server = await startProcess({
    command: options.program,
    args: serverArguments(options),
    env: options.env,
    stopMs: STOP_MS,
    onSpawn: options.onSpawn,
    onLine: (line) => {
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      options.onLine(line);
    },
  });
  let ended: string | undefined;
  void server.exited.then((how) => {
    ended = how;
  });
  const check = () => {
    if (ended !== undefined) throw new Error(`The Temporal dev server ${ended}:\n${lastLines.join('\n')}`);
  };
  try {
    await prepare(address, options.namespace, check);
    check();
  } catch (error) {
    await server.stop();
    throw error;
  }
  const uiUrl = options.uiPort === undefined ? undefined : `http://127.0.0.1:${options.uiPort}`;
  return { ...server, address, uiUrl };
}

export function serverArguments(options: TemporalDevServerOptions): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port)];
  args.push('--namespace', options.namespace, '--log-format', 'json', '--log-level', 'warn');
  if (options.uiPort === undefined) args.push('--headless');
  else args.push('--ui-ip', '127.0.0.1', '--ui-port', String(options.uiPort), '--ui-disable-news-fetch');
  if (options.dbFile !== undefined) {
    args.push('--db-filename', options.dbFile);
    for (const pragma of SQLITE_PRAGMAS) args.push('--sqlite-pragma', pragma);
  }
  for (const [key, value] of Object.entries(dynamicConfig())) {
    args.push('--dynamic-config-value', `${key}=${JSON.stringify(value)}`);
  }
  return args;
}

/** The server listens a moment before its namespace is there, so everything is asked until it works. */
async function prepare(address: string, namespace: string, check: () => void): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    check();
    try {
      const connection = await connectTemporal({ address }, 2_000);
      try {
        await retentionDays(connection, namespace);
        await ensureRetention(connection, namespace);
        await ensureSearchAttributes(connection, namespace);
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`The Temporal dev server at ${address} was not ready within ${READY_MS / 1000} s.`, {
          cause: error,
        });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
