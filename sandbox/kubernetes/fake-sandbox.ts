/**
 * Sandboxes of the fake cluster: the tool server's own listener, encryption, routes, calls and journal, at a loopback
 * address per pod. Only the agent's side is made up: no command is run, its text is the answer.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { V1PodSpec } from '@kubernetes/client-node';
import type { AgentSide } from '../server/agent-side.ts';
import { createCalls } from '../server/calls.ts';
import { createInputs } from '../server/inputs.ts';
import { openJournal } from '../server/journal.ts';
import { createListener } from '../server/listen.ts';
import type { ListenConfig, ServerConfig } from '../server/protocol.ts';
import { createHandler } from '../server/routes.ts';
import type { FakeApiServer } from './fake-api-server.ts';
import type { Stored } from './fake-api-store.ts';
import { TOOL_PORT } from './names.ts';

export interface FakeSandbox {
  address: string;
  /** What the sandbox is told to be: changed by a claim. */
  config: ServerConfig;
  /** Commands that were begun, in their order. */
  ran: string[];
  /** A command whose text is `wait` ends after this. */
  release(): void;
  /** Its connections end and nobody answers there any more, as of a node that broke. */
  vanish(): Promise<void>;
  /** After `vanish`: it answers again, and knows its calls. */
  comeBack(): Promise<void>;
}

export interface FakeNode {
  /** Name of the node where the next pods run that name none. */
  name: string;
  /** What a command says in a sandbox on a node; default: its own text. */
  says(command: string, node: string): string;
  sandboxes: Map<string, FakeSandbox>;
  /** The sandbox of a pod that runs. */
  of(name: string): FakeSandbox;
  close(): Promise<void>;
}

/** Starts what pods say, as a kubelet does, and says so in their status. */
export function startFakeNode({ pods }: FakeApiServer): FakeNode {
  const sandboxes = new Map<string, FakeSandbox>();
  /** Also those whose pod has a successor of the same name. */
  const all: FakeSandbox[] = [];
  const ends: Promise<void>[] = [];
  const run = async ({ metadata: { name, uid }, spec: given }: Stored) => {
    const spec = given as unknown as V1PodSpec;
    const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const nodeName = required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0] ?? node.name;
    const sandbox = await startSandbox(spec, (command) => node.says(command, nodeName));
    all.push(sandbox);
    sandboxes.set(name, sandbox);
    const there = pods.list().find(({ metadata }) => metadata.uid === uid);
    if (there) pods.patch(name, { spec: { nodeName }, status: { phase: 'Running', podIP: sandbox.address } });
    else await sandbox.vanish();
  };
  const stop = pods.follow(0, ({ type, object }) => {
    if (type === 'ADDED') ends.push(run(object));
    const ended = type === 'DELETED' ? sandboxes.get(object.metadata.name) : undefined;
    if (ended) ends.push(ended.vanish());
  });
  const node: FakeNode = {
    name: 'node-1',
    says: (command) => command,
    sandboxes,
    of(name) {
      const found = sandboxes.get(name);
      if (!found) throw new Error(`Pod ${name} does not run.`);
      return found;
    },
    async close() {
      stop();
      await Promise.all(ends);
      for (const sandbox of all) {
        await sandbox.vanish();
        rmSync(sandbox.config.journalDir, { recursive: true, force: true });
      }
    },
  };
  return node;
}

async function startSandbox(spec: V1PodSpec, says: (command: string) => string): Promise<FakeSandbox> {
  const env = spec.containers.flatMap((one) => one.env ?? []).find(({ name }) => name === 'LONGHAND_SERVER');
  const journalDir = mkdtempSync(join(tmpdir(), 'fake-sandbox-'));
  const config: ServerConfig = { ...(JSON.parse(env?.value ?? '') as ServerConfig), journalDir };
  const ran: string[] = [];
  const waiting: (() => void)[] = [];
  const journal = openJournal(journalDir);
  const side = fakeSide(ran, waiting, says);
  const parts = { config, journal, side, inputs: createInputs(journalDir), spoolDir: journalDir };
  const handler = createHandler({ ...parts, calls: createCalls({ journal, side }) });
  const begin = () => {
    const sockets = new Set<Socket>();
    const server = createListener(config.serve as ListenConfig, handler);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    return { server, sockets };
  };
  let { server, sockets } = begin();
  const listen = async (address: string): Promise<boolean> => {
    server.listen(TOOL_PORT, address);
    return await once(server, 'listening').then(
      () => true,
      () => false,
    );
  };
  let address = someAddress();
  // Another test may have it.
  while (!(await listen(address))) address = someAddress();
  return {
    ...{ address, config, ran },
    release: () => {
      for (const end of waiting.splice(0)) end();
    },
    async vanish() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async comeBack() {
      ({ server, sockets } = begin());
      if (!(await listen(address))) throw new Error(`${address} is taken.`);
    },
  };
}

function someAddress(): string {
  const part = () => 1 + Math.floor(Math.random() * 254);
  return `127.${part()}.${part()}.${part()}`;
}

function fakeSide(ran: string[], waiting: (() => void)[], says: (command: string) => string): AgentSide {
  const refuse = () => Promise.reject(new Error('A fake sandbox has no files.'));
  return {
    bash: {
      async start({ command }) {
        ran.push(command);
        const end = { text: says(command), dropped: 0, exitCode: 0, signal: null };
        const gate = command === 'wait' ? new Promise<void>((resolve) => waiting.push(resolve)) : Promise.resolve();
        return { stop: () => undefined, end: gate.then(() => end) };
      },
      restart: () => undefined,
    },
    tools: { run: refuse, list: refuse, locate: refuse, outputs: refuse, warm: () => undefined },
    files: { tar: async () => Readable.from([]), untar: async (tar) => void tar.resume(), read: refuse },
    ready: async () => undefined,
    tell: async () => undefined,
  };
}
