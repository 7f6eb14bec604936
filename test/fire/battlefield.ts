/** Everything a session needs, each part a process that can be killed and a network that can be held. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { RehearsalFile } from '../../rehearsal/rehearsal.ts';
import { DEFAULT_WORKSPACE, ensureApiKey, newApiKey } from '../../store/keys.ts';
import { type RunningProcess, startProcess } from '../../workers/child-process.ts';
import { freePort } from '../../workers/free-port.ts';
import type { SessionSettings } from '../../workflows/contract.ts';
import { type Balancer, startBalancer } from '../support/balancer.ts';
import { type NetworkProxy, startProxy } from '../support/proxy.ts';
import { type Stack, startStack } from '../support/stack.ts';

const API = fileURLToPath(new URL('../../api/testing-process.ts', import.meta.url));

export interface ApiProcess {
  url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface Battlefield {
  stack: Stack;
  apis: ApiProcess[];
  key: string;
  /** Through a load balancer, with the SDK's own retries. */
  client: Anthropic;
  /** Between the worker and the Temporal server. */
  network: Record<'brain' | 'hands', NetworkProxy>;
  /** Names of the activities that a worker has in hand for the session. */
  inHand(session: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function openBattlefield(script: RehearsalFile, session: Partial<SessionSettings>): Promise<Battlefield> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const network: Partial<Record<'brain' | 'hands', NetworkProxy>> = {};
    const stack = await startStack({
      script,
      hands: true,
      async route(part, address) {
        const proxy = await startProxy(address);
        network[part] = proxy;
        return proxy.address;
      },
    });
    undo.push(() => stack.stop());
    const { brain, hands } = network;
    if (!brain || !hands) throw new Error('The stack took no route.');
    undo.push(() => Promise.all([brain.close(), hands.close()]));
    const key = newApiKey();
    const row = { id: 'apikey_fire', workspaceId: DEFAULT_WORKSPACE, name: 'fire', now: new Date() };
    await ensureApiKey(stack.database.orm, key, row);
    const ports = [await freePort(), await freePort()];
    const apis = await Promise.all(ports.map((port) => startApiProcess(stack, port, session)));
    undo.push(() => Promise.all(apis.map((api) => api.stop())));
    const balancer: Balancer = await startBalancer(ports);
    undo.push(() => balancer.close());
    return {
      ...{ stack, apis, key, stop, network: { brain, hands } },
      client: new Anthropic({ baseURL: balancer.url, apiKey: key, maxRetries: 10 }),
      async inHand(id) {
        const { raw } = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(id)).describe();
        // temporal.api.enums.v1.PendingActivityState: STARTED
        const started = (raw.pendingActivities ?? []).filter(({ state }) => state === 2);
        return started.map(({ activityType }) => activityType?.name ?? '');
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startApiProcess(stack: Stack, port: number, session: Partial<SessionSettings>): Promise<ApiProcess> {
  let running: RunningProcess;
  const start = async () => {
    const ready = Promise.withResolvers<void>();
    running = await startProcess({
      command: process.execPath,
      args: [API],
      env: {
        ...{ PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', PORT: String(port) },
        ...{ DATABASE_URL: stack.databaseUrl, TEMPORAL_ADDRESS: stack.temporal.address },
        ...{ BLOBS: join(stack.home, 'blobs'), SESSION: JSON.stringify(session) },
      },
      stopMs: 20_000,
      onLine: (line) => {
        if (line.startsWith('http://')) ready.resolve();
        else if (process.env.LONGHAND_TEST_LOGS) console.log(`api | ${line}`);
      },
    });
    const ended = running.exited.then((how) => Promise.reject(new Error(`the api ${how}`)));
    ended.catch(() => undefined);
    await Promise.race([ready.promise, ended]);
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    async kill() {
      running.child.kill('SIGKILL');
      await running.exited;
    },
    stop: () => running.stop(),
  };
}

/** Looks every 20 ms until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, ms = 60_000): Promise<void> {
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    if (await isSo()) return;
    await sleep(20);
  }
  throw new Error(`Not within ${ms} ms: ${what}`);
}

/** A name that no other test uses. */
export const mark = () => randomBytes(4).toString('hex');
