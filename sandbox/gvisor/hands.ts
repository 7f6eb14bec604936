/**
 * The `gvisor` provider: sandboxes on this machine, run by gVisor's `runsc`. The host listens and each sandbox dials
 * out over a Unix socket of its own; a sandbox outlives the process that made it, and any later one with the same
 * `stateDir` finds it again.
 */
import { isOverdue, outcomeOf } from '../call-outcome.ts';
import { storeCheckpoint } from '../checkpoints.ts';
import {
  type CallOutcome,
  type Checkpoint,
  type Hands,
  SandboxGoneError,
  type SandboxRef,
  type SandboxSpec,
  type ToolCall,
} from '../hands.ts';
import { createTurns } from '../in-turn.ts';
import { placeInputs } from '../place-inputs.ts';
import { MAX_WAIT_MS } from '../server/protocol.ts';
import { withTargetLimits } from '../targets.ts';
import { ConnectionLostError, ToolServerError } from '../tool-client.ts';
import { bootId } from './host-process.ts';
import { type Attached, beginLife, type Life } from './life.ts';
import { DEFAULT_LIMITS, type GvisorOptions } from './options.ts';
import { sandboxId } from './places.ts';
import { probeIsolation } from './probe.ts';

export { DEFAULT_LIMITS, type GvisorOptions } from './options.ts';

export interface GvisorHands extends Hands {
  /** Ends every sandbox of this `stateDir`, for when the installation stops. Files since the last checkpoint are lost. */
  releaseAll(): Promise<void>;
  /** As `releaseAll`, but saves the files first: calls that come later are `lost` with that checkpoint. */
  suspendAll(): Promise<void>;
}

/**
 * Nothing is touched before the first use.
 * @example
 * ```ts
 * const hands = createGvisorHands({ runsc, nodeBinary: process.execPath, stateDir, cacheDir, checkpoints });
 * await hands.probe();
 * const ref = await hands.provision({ sessionId: 'sesn_1', generation: 1 }, signal);
 * const outcome = await hands.execute(ref, call, signal);
 * ```
 */
export function createGvisorHands(options: GvisorOptions): GvisorHands {
  const inTurn = createTurns();
  let begun: Promise<Life> | undefined;

  const life = () => {
    begun ??= beginLife(options, { ...DEFAULT_LIMITS, ...options.limits });
    // What was wrong may have been put right when it is asked for again.
    begun.catch(() => {
      begun = undefined;
    });
    return begun;
  };

  const present = async (ref: SandboxRef): Promise<Attached> => {
    const sandbox = await (await life()).find(ref);
    if (sandbox) return sandbox;
    throw new SandboxGoneError(`Sandbox ${ref.id} of session ${ref.sessionId} is gone; provision the next generation.`);
  };

  const checkpoint = async (ref: SandboxRef, since?: string): Promise<Checkpoint | undefined> =>
    await storeCheckpoint((await present(ref)).client, options.checkpoints, ref, since);

  return {
    provider: 'gvisor',

    async probe() {
      const { places, programs } = await life();
      await probeIsolation(places, programs.runsc);
    },

    async provision(spec, signal) {
      return await inTurn(spec.sessionId, async () => {
        signal.throwIfAborted();
        return await provision(await life(), withTargetLimits(options.targets, spec), signal);
      });
    },

    async execute(ref, call, signal) {
      return await execute(await life(), ref, call, signal);
    },

    async stopCalls(ref, thread, ids) {
      const sandbox = await (await life()).find(ref);
      await sandbox?.client.stop({ thread, ids });
    },

    checkpoint,

    listOutputs: async (ref, limits) => (await present(ref)).client.outputs(limits),

    async placeInputs(ref, files, open) {
      await placeInputs((await present(ref)).client, files, open);
    },

    async release(ref) {
      await inTurn(ref.sessionId, async () => {
        const { records, destroy } = await life();
        const record = await records.get(ref.id);
        if (record && record.state !== 'gone') await destroy(record, 'it was released');
      });
    },

    listFiles: async (ref, path) => (await present(ref)).client.listFiles(path),
    readFile: async (ref, path) => (await present(ref)).client.readFile(path),

    async releaseAll() {
      await (await life()).endAll();
      begun = undefined;
    },

    async suspendAll() {
      const { records } = await life();
      const live = (await records.all()).filter(({ state }) => state === 'live');
      await Promise.all(
        live.map(async (record) => {
          try {
            const saved = await checkpoint({ ...record, provider: 'gvisor' });
            await records.put({ ...record, saved });
          } catch (error) {
            options.log?.(`sandbox ${record.id}: its files could not be saved: ${(error as Error).message}`);
          }
        }),
      );
      await this.releaseAll();
    },

    async close() {
      await (await begun?.catch(() => undefined))?.close();
    },
  };
}

async function provision(life: Life, spec: SandboxSpec, signal: AbortSignal): Promise<SandboxRef> {
  const { sessionId, generation, copy } = spec;
  const id = sandboxId(sessionId, generation, copy);
  const ref: SandboxRef = { sessionId, generation, id, provider: 'gvisor', ...(copy === undefined ? {} : { copy }) };
  for (const other of await life.records.all()) {
    if (other.sessionId !== sessionId || other.copy !== copy) continue;
    // A slow attempt of long ago must not end the sandbox that came after it.
    if (other.generation > generation) {
      throw new Error(`Session ${sessionId} is at generation ${other.generation}; ${generation} is not made again.`);
    }
    if (other.generation < generation && other.state !== 'gone') {
      await life.destroy(other, `generation ${generation} replaces it`);
    }
  }
  if (await life.find(ref)) return ref;
  const left = await life.records.get(ref.id);
  // A generation is made once: calls may have run in the one that is gone. Its ref then says `lost`.
  if (left?.state === 'gone' && left.wasLive) return ref;
  if (left?.state === 'making') await life.destroy(left, 'it was never finished');
  await life.make(spec, signal);
  return ref;
}

async function execute(life: Life, ref: SandboxRef, call: ToolCall, signal: AbortSignal): Promise<CallOutcome> {
  let made = false;
  for (;;) {
    signal.throwIfAborted();
    const sandbox = await life.find(ref);
    if (!sandbox) return await lost(life, ref, call);
    try {
      await life.records.markSent(ref.id, call.id);
      let state = made
        ? await sandbox.client.wait(call.id, MAX_WAIT_MS, signal)
        : await sandbox.client.call(call, MAX_WAIT_MS, signal);
      made = true;
      while (state.state === 'accepted' || state.state === 'started') {
        if (isOverdue(state, call)) {
          await life.destroy(sandbox.record, `call ${call.id} did not end at its deadline`);
          return await lost(life, ref, call);
        }
        state = await sandbox.client.wait(call.id, MAX_WAIT_MS, signal);
      }
      return outcomeOf(state);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ToolServerError && error.status === 404) made = false;
      else if (!(error instanceof ConnectionLostError)) throw error;
      else await settle(life, sandbox);
    }
  }
}

/** After a lost connection: it dials again, or has ended (the next look says so), or is broken and is ended. */
async function settle(life: Life, sandbox: Attached): Promise<void> {
  try {
    await sandbox.connected();
  } catch (error) {
    const still = await life.find(sandbox.record);
    if (still === sandbox) await life.destroy(sandbox.record, (error as Error).message);
  }
}

/** What to say of a call whose sandbox is gone. */
async function lost({ records }: Life, ref: SandboxRef, call: ToolCall): Promise<CallOutcome> {
  const record = await records.get(ref.id);
  // After a restart of the host the last marks may be missing on its disk.
  const maybe = record === undefined || record.bootId !== bootId() || (await records.wasSent(ref.id, call.id));
  const saved = record?.saved ? { checkpoint: record.saved } : {};
  return maybe
    ? { kind: 'lost', started: 'maybe', message: 'The sandbox ended while this call may have been running.', ...saved }
    : { kind: 'lost', started: 'no', message: 'The sandbox had ended before this call was started.', ...saved };
}
