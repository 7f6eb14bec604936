/** Keeps services running: starts them in order, starts again what dies, stops them in the opposite order. */
import type { Running } from './child-process.ts';
import { forgetChild, recordChild } from './orphans.ts';

const BACKOFF_FIRST_MS = 200;
const BACKOFF_MOST_MS = 10_000;
/** A service that ran so long is healthy again: its next restart is quick. */
const HEALTHY_MS = 30_000;

export interface Service {
  /** Also the name of its process file. */
  name: string;
  /**
   * Starts it and resolves when it is ready for those that come after it. Called again after each death.
   * @param onSpawn - to be called as soon as there is a process: one that is killed with its parent while it still gets
   *   ready is an orphan too.
   */
  start(onSpawn: (pid: number) => void): Promise<Running>;
  /** It finds what an earlier run left of it by itself, and gets no process file. */
  clearsItself?: true;
}

/** What happened to a service. */
export type ServiceEvent =
  | { kind: 'started'; name: string; pid: number; ms: number }
  | { kind: 'ended'; name: string; how: string; retryMs: number }
  | { kind: 'failed'; name: string; error: Error; retryMs: number };

export interface Supervisor {
  /** Process ids of what runs now. */
  pids(): Record<string, number>;
  /** Stops everything, the last started first. Resolves when no process is left. Safe to repeat. */
  stop(): Promise<void>;
}

export interface SupervisorOptions {
  /** Folder of the process files. */
  runFolder: string;
  onEvent(event: ServiceEvent): void;
}

/**
 * Starts the services; those of one inner list start at the same time.
 * @throws what a first start threw, after stopping those that had started.
 */
export async function supervise(stages: Service[][], options: SupervisorOptions): Promise<Supervisor> {
  const started: Supervised[] = [];
  const stop = async () => {
    for (const service of started.splice(0).reverse()) await service.stop();
  };
  for (const stage of stages) {
    const results = await Promise.allSettled(stage.map((service) => keepRunning(service, options)));
    for (const result of results) if (result.status === 'fulfilled') started.push(result.value);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) {
      await stop();
      throw failure.reason;
    }
  }
  const pids = () => Object.fromEntries(started.flatMap(({ name, pid }) => (pid() ? [[name, pid() ?? 0]] : [])));
  return { pids, stop };
}

interface Supervised {
  name: string;
  pid(): number | undefined;
  stop(): Promise<void>;
}

async function keepRunning(service: Service, options: SupervisorOptions): Promise<Supervised> {
  const { name } = service;
  const stopping = new AbortController();
  let running: Running | undefined = await startOnce(service, options);
  const loop = async (first: Running) => {
    let current: Running | undefined = first;
    let backoff = BACKOFF_FIRST_MS;
    while (!stopping.signal.aborted) {
      if (current !== undefined) {
        const since = Date.now();
        const how = await current.exited;
        running = undefined;
        if (stopping.signal.aborted) return;
        if (Date.now() - since > HEALTHY_MS) backoff = BACKOFF_FIRST_MS;
        options.onEvent({ kind: 'ended', name, how, retryMs: backoff });
      }
      await pause(backoff, stopping.signal);
      backoff = Math.min(backoff * 2, BACKOFF_MOST_MS);
      if (stopping.signal.aborted) return;
      try {
        current = await startOnce(service, options);
        running = current;
      } catch (error) {
        current = undefined;
        options.onEvent({ kind: 'failed', name, error: error as Error, retryMs: backoff });
      }
    }
  };
  const looping = loop(running);
  const stop = async () => {
    stopping.abort();
    await running?.stop();
    // A start that was under way has ended by now; what it started is stopped too.
    await looping;
    await running?.stop();
    await forgetChild(options.runFolder, name);
  };
  return { name, pid: () => running?.pid, stop };
}

async function startOnce(service: Service, options: SupervisorOptions): Promise<Running> {
  const since = Date.now();
  const running = await service.start((pid) => {
    if (!service.clearsItself) recordChild(options.runFolder, service.name, pid);
  });
  options.onEvent({ kind: 'started', name: service.name, pid: running.pid, ms: Date.now() - since });
  return running;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
