/** A real Temporal server for tests, which they can take away and bring back. */
import { join } from 'node:path';
import { freePort } from '../../workers/free-port.ts';
import { findTemporal } from '../../workers/programs/find-program.ts';
import { startTemporalDevServer } from '../../workers/temporal-dev-server.ts';

export interface TestTemporal {
  /** host:port */
  address: string;
  /** SIGKILL. Resolves when it is dead. */
  kill(): Promise<void>;
  /** Starts it again after a kill, at the same address with the same data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The dev server. @param home - folder for its database. */
export async function startTestTemporal(home: string): Promise<TestTemporal> {
  const program = await findTemporal({ onProgress: (line) => console.log(line) });
  const port = await freePort();
  const launch = () =>
    startTemporalDevServer({
      ...{ program, port, dbFile: join(home, 'temporal.db'), namespace: 'default' },
      env: { HOME: home, PATH: process.env.PATH ?? '' },
      onLine: () => undefined,
    });
  let server = await launch();
  return {
    address: server.address,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async start() {
      server = await launch();
    },
    stop: () => server.stop(),
  };
}
