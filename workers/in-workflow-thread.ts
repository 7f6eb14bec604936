/**
 * Runs first in every thread of workflows (workflow-threads.ts), before the SDK, and takes away from it what costs most of
 * a workflow task and is not needed: docs/decisions/009 and 010. Such a thread also gives back what its start left behind.
 */
import { createRequire } from 'node:module';
import v8 from 'node:v8';
import vm from 'node:vm';
import { collectAfterStart } from './collect-garbage.ts';

/** An activation that has not ended by then never will: the SDK's own limit. ms */
const ACTIVATION_MS = 5_000;

/** Of the SDK's `lib/workflow/vm-shared.js`; what is used here. */
interface VmWorkflow {
  activate(activation: { isReplaying?: boolean | null }): Promise<unknown>;
  activator: { info: { runId: string }; errorToFailure(error: unknown): unknown };
}

collectAfterStart();
withoutPromiseHooks();
guardActivations();

/** The SDK then warns of what is wanted: its next warning is that one. */
function withoutPromiseHooks(): void {
  const createHook = () => {
    const { warn } = console;
    console.warn = () => {
      console.warn = warn;
    };
    throw new Error('Stack traces are off.');
  };
  Object.defineProperty(v8, 'promiseHooks', { value: { ...v8.promiseHooks, createHook } });
}

/**
 * The SDK enters the workflow's context at least three times for an activation, each time with a time limit, for which Node
 * starts and ends a thread. One limit around the whole is as good; and what is replayed has ended before.
 */
function guardActivations(): void {
  const { BaseVMWorkflow } = createRequire(import.meta.url)('@temporalio/worker/lib/workflow/vm-shared.js') as {
    BaseVMWorkflow: { prototype: VmWorkflow };
  };
  const { activate } = BaseVMWorkflow.prototype;
  const { runInContext } = vm.Script.prototype;
  let isGuarded = false;
  vm.Script.prototype.runInContext = function (this: vm.Script, context, options) {
    return runInContext.call(this, context, isGuarded ? { ...options, timeout: undefined } : options);
  };

  const guard = new vm.Script('__longhandActivate()');
  BaseVMWorkflow.prototype.activate = function (this: VmWorkflow, activation) {
    let completion: Promise<unknown> | undefined;
    // All that can take long happens before its first `await`.
    const begin = () => {
      completion = activate.call(this, activation);
    };
    isGuarded = true;
    try {
      if (activation.isReplaying) begin();
      else {
        Reflect.set(globalThis, '__longhandActivate', begin);
        guard.runInThisContext({ timeout: ACTIVATION_MS });
      }
    } catch (error) {
      // As the SDK does it.
      const { info, errorToFailure } = this.activator;
      completion = Promise.resolve({
        runId: info.runId,
        failed: { failure: errorToFailure.call(this.activator, error) },
      });
    } finally {
      isGuarded = false;
    }
    return completion ?? Promise.reject(new Error('An activation was not begun.'));
  };
}
