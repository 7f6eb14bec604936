/**
 * Threads in which the brain's workflows run. The SDK has no options for what costs most of the processor time of a
 * workflow task (docs/decisions/009 and 010); so a module of ours runs in them first.
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
const FIRST = new URL(`./in-workflow-thread${extname(import.meta.url)}`, import.meta.url).href;

class LightThread extends Thread {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    const execArgv = [...(options.execArgv ?? process.execArgv), '--import', FIRST];
    super(file, WORKFLOW_THREAD.test(String(file)) ? { ...options, execArgv } : options);
  }
}

/** For workers that are made from now on in this process. */
export function collectStackTraces(collect: boolean): void {
  threads.Worker = collect ? Thread : LightThread;
}
