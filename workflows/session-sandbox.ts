/**
 * The sandbox of a session, as its workflow sees it: made by the first call that needs one, saved, let go. What these
 * things mean is decided by the reducer; here they are only done, one at a time.
 */
import { ApplicationFailure, log } from '@temporalio/workflow';
import type { SandboxRef } from '../sandbox/hands.ts';
import { type HandsRoute, kindOf, routeOf, sandboxWork, stopCalls } from './activities.ts';
import type { SessionInput } from './contract.ts';
import { isGone, isTooLarge, reason, waitedInVain } from './failure-words.ts';
import type { SessionHost } from './session-host.ts';

interface SandboxHost extends SessionHost {
  /** Arms the timer that lets an idle sandbox go. */
  idleTimer(): void;
}

export interface SessionSandbox {
  /** True while a sandbox is being made or let go. */
  readonly busy: boolean;
  /** The sandbox, made if there is none. */
  ensure(): Promise<SandboxRef>;
  /** Where calls for this sandbox go. */
  route(ref: SandboxRef): HandsRoute;
  /** Stops running calls. */
  stop(ids: string[]): Promise<void>;
  /** Saves the files. @returns false when they could not be saved and the sandbox must be kept. */
  checkpoint(): Promise<boolean>;
  /** Lets the sandbox go; with `save`, only after its files have been saved. One at a time. */
  letGo(save: boolean): Promise<void>;
}

export function createSessionSandbox(
  input: Pick<SessionInput, 'handsQueue' | 'settings' | 'target' | 'image'>,
  host: SandboxHost,
): SessionSandbox {
  const to = (ref: SandboxRef): HandsRoute => routeOf(input, ref);
  let provisioning: Promise<void> | undefined;
  let releasing: Promise<void> | undefined;
  let bringing: Promise<void> | undefined;
  let saving: Promise<boolean> | undefined;

  /** The sandbox of this session, made by the first call that needs one; calls that come together share the making. */
  async function ensureSandbox() {
    if (releasing) await releasing;
    if (!host.state().sandbox.ref) {
      provisioning ??= provision().finally(() => {
        provisioning = undefined;
      });
      await provisioning;
    }
    // What it must hold may change again while it is brought in.
    while (lacksInputs()) {
      bringing ??= bringIn().finally(() => {
        bringing = undefined;
      });
      await bringing;
    }
    const { ref } = host.state().sandbox;
    if (!ref) throw ApplicationFailure.nonRetryable('The sandbox was lost while it was being made.');
    return ref;
  }

  async function provision(): Promise<void> {
    const { generation, checkpoint: restore } = host.state().sandbox;
    const made = await sandboxWork(routeOf(input)).provision({
      sessionId: host.state().session,
      generation: generation + 1,
      ...kindOf(input),
      ...(restore ? { restore } : {}),
      ...(host.state().inputs?.skills ? { skills: true as const } : {}),
    });
    host.dispatch({ in: 'provisioned', ...made });
  }

  function lacksInputs(): boolean {
    const { sandbox: present, inputs } = host.state();
    return present.ref !== undefined && inputs !== undefined && present.inputs !== inputs.rev;
  }

  /** Read-only files are in place before the first call that could look for them. */
  async function bringIn(): Promise<void> {
    const { sandbox: present, inputs } = host.state();
    const { ref } = present;
    if (!ref || !inputs) return;
    try {
      await sandboxWork(to(ref)).bringIn({ ref, list: inputs.list });
    } catch (error) {
      // Its machine is gone, and the sandbox with it: the next call gets a new one elsewhere.
      if (ref.queue !== undefined && waitedInVain(error)) return host.dispatch({ in: 'released' });
      // The call that comes finds out the same, and says what is lost.
      if (!isGone(error)) throw error;
    }
    host.dispatch({ in: 'broughtIn', generation: ref.generation, rev: inputs.rev });
  }

  async function stop(ids: string[]): Promise<void> {
    const { ref } = host.state().sandbox;
    if (!ref) {
      for (const id of ids)
        host.dispatch({ in: 'executeFailed', call: id, message: 'interrupted by the user', started: false });
      return;
    }
    await stopCalls(to(ref))({ ref, thread: host.state().thread, ids }).catch((error: unknown) => {
      // The grace period ends the turn all the same, and says that the command may still be running.
      log.warn('stopCalls failed', { reason: reason(error) });
    });
  }

  /** One at a time, so that an older one cannot take a newer one's place. */
  async function checkpoint(): Promise<boolean> {
    while (saving) await saving;
    saving = saveFiles();
    try {
      return await saving;
    } finally {
      saving = undefined;
    }
  }

  /** @returns false when the files could not be saved and the sandbox must be kept. */
  async function saveFiles(): Promise<boolean> {
    const { ref, checkpoint: last, changes } = host.state().sandbox;
    if (!ref) return false;
    host.begin();
    try {
      const taken = await sandboxWork(to(ref)).checkpoint({ ref, ...(last ? { since: last.sha256 } : {}) });
      host.dispatch({ in: 'checkpointed', generation: ref.generation, changes, checkpoint: taken });
      return true;
    } catch (error) {
      if (isGone(error)) {
        if (host.state().sandbox.ref?.generation === ref.generation) host.dispatch({ in: 'released' });
        return true;
      }
      log.warn('checkpoint failed; the sandbox is kept', { reason: reason(error) });
      if (isTooLarge(error)) {
        host.dispatch({ in: 'unsaved', generation: ref.generation, message: reason(error) });
      }
      return false;
    } finally {
      host.end();
    }
  }

  async function release(save: boolean): Promise<void> {
    if (save && !(await checkpoint())) return keepForNow();
    const { ref } = host.state().sandbox;
    if (!ref) return;
    host.begin();
    try {
      await sandboxWork(to(ref)).release({ ref });
      host.dispatch({ in: 'released' });
    } catch (error) {
      log.warn('release failed; it is tried again later', { reason: reason(error) });
      keepForNow();
    } finally {
      host.end();
    }
  }

  function keepForNow(): void {
    if (!host.state().ended) host.idleTimer();
  }

  return {
    get busy() {
      return provisioning !== undefined || bringing !== undefined || releasing !== undefined;
    },
    route: to,
    ensure: ensureSandbox,
    stop,
    checkpoint,
    letGo(save) {
      releasing ??= release(save).finally(() => {
        releasing = undefined;
      });
      return releasing;
    },
  };
}
