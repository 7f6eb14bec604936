/**
 * Threads in which the brain's workflows run. The SDK takes a stack trace of every promise that a workflow makes, for the
 * Temporal UI's Call Stack tab: a third of the processor time of a workflow task (docs/decisions/009). It has no
 * option for that, but knows how to do without where the runtime has no promise hooks; so those are taken away from it.
 * Such a thread also gives back what its start left behind.
 */
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import type { WorkerOptions } from 'node:worker_threads';

/** The object that `require` gives to the SDK, whose properties can be set. */
const threads = createRequire(import.meta.url)('node:worker_threads') as typeof import('node:worker_threads');
const Thread = threads.Worker;

/** The SDK's file that runs in them. */
const WORKFLOW_THREAD = /[\\/]workflow-worker-thread\.js$/;

/** `.ts` in a checkout, `.js` in the installed package. */
const COLLECT = new URL(`./collect-garbage${extname(import.meta.url)}`, import.meta.url).href;
/** Runs first in such a thread. The SDK would warn of what is wanted: its next warning is that one. */
const PRELOAD = `
import v8 from 'node:v8';
import { collectAfterStart } from ${JSON.stringify(COLLECT)};
collectAfterStart();
const createHook = () => {
  const { warn } = console;
  console.warn = () => {
    console.warn = warn;
  };
  throw new Error('Stack traces are off.');
};
Object.defineProperty(v8, 'promiseHooks', { value: { ...v8.promiseHooks, createHook } });
`;

class QuietThread extends Thread {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    const isWorkflows = WORKFLOW_THREAD.test(String(file));
    const execArgv = [
      ...(options.execArgv ?? process.execArgv),
      '--import',
      `data:text/javascript,${encodeURIComponent(PRELOAD)}`,
    ];
    super(file, isWorkflows ? { ...options, execArgv } : options);
  }
}

/** For workers that are made from now on in this process. */
export function collectStackTraces(collect: boolean): void {
  threads.Worker = collect ? Thread : QuietThread;
}
