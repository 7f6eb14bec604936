/** A Temporal server with workers in this process, for tests of this folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, type NativeConnection, type WorkflowBundle } from '@temporalio/worker';
import { startTestTemporal } from '../test/support/temporal.ts';
import { connectWorker } from './temporal-connection.ts';

export interface TestingTemporal {
  client: Client;
  /** One for each worker; whoever asks closes it. */
  connect(): Promise<NativeConnection>;
  /** Of testing-workflows.ts. */
  workflowBundle: WorkflowBundle;
  stop(): Promise<void>;
}

export async function startTestingTemporal(): Promise<TestingTemporal> {
  const home = await mkdtemp(join(tmpdir(), 'longhand-temporal-'));
  const server = await startTestTemporal(home);
  const { address } = server;
  const client = new Client({ connection: await Connection.connect({ address }) });
  const workflowsPath = fileURLToPath(new URL('./testing-workflows.ts', import.meta.url));
  return {
    client,
    connect: () => connectWorker({ address, namespace: 'default' }),
    workflowBundle: await bundleWorkflowCode({ workflowsPath }),
    async stop() {
      await client.connection.close();
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
