/** A sandbox that this process is connected to, or waits for: its pod is followed, its tool server dialled. */
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { askAlone, type LargeAnswer } from '../http1-ask.ts';
import type { Question } from '../http2-ask.ts';
import { ConnectionLostError, createToolClient, type ToolClient } from '../tool-client.ts';
import { connectPod, dialPod, FIRST_CONNECT_MS, LONGEST_CONNECT_MS } from './dial.ts';
import { podKeys } from './names.ts';
import { goneBecause, type Pods } from './pods.ts';

/** Between two attempts to connect, milliseconds. */
const AGAIN_MS = 40;
/** How often the API server is asked for a pod whose address is not known, or not right. */
const LOOK_MS = 1_000;
/** A container that cannot be started may only have met a registry's bad moment. */
const STUCK_MS = 20_000;
/** States of a container from which it does not come out without a person, or only after long. */
const HOPELESS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

export interface Attached {
  name: string;
  client: ToolClient;
  /** Resolves when there is a connection. Rejects when the sandbox is gone, or does not answer within `ms`. */
  connected(ms: number): Promise<void>;
  /** Why it is gone; undefined while it lives. */
  gone(): string | undefined;
  close(): void;
}

/** The sandbox is gone for good: nobody needs to wait for it. */
export class PodGoneError extends ConnectionLostError {}

interface Parts {
  name: string;
  generation: number;
  key: Buffer;
  pods: Pods;
  patienceMs: number;
}

export function attach({ name, generation, key, pods, patienceMs }: Parts): Attached {
  const { token, psk } = podKeys(key, name);
  let live: ClientHttp2Session | undefined;
  let dialling: Promise<ClientHttp2Session> | undefined;
  let reason: string | undefined;
  let wake: (() => void) | undefined;

  const giveUp = (why: string) => {
    reason ??= why;
    live?.destroy();
    wake?.();
  };
  const unfollow = pods.follow(name, (pod) => {
    const why = pod ? goneBecause(pod) : 'its pod is gone';
    if (why) giveUp(why);
    else wake?.();
  });

  const dial = async (ms: number): Promise<ClientHttp2Session> => {
    const until = Date.now() + ms;
    let looked = Date.now();
    let last: Error | undefined;
    let stuckSince: number | undefined;
    let connectMs = FIRST_CONNECT_MS;
    for (;;) {
      if (reason !== undefined) throw new PodGoneError(`The sandbox is gone: ${reason}.`);
      const pod = pods.known(name);
      const address = pod?.status?.podIP;
      if (pod && !goneBecause(pod) && address) {
        const session = await dialPod({ address, psk, connectMs }, patienceMs).catch((error: Error) => {
          last = error;
        });
        if (session) return session;
        connectMs = Math.min(connectMs * 2, LONGEST_CONNECT_MS);
      }
      const stuck = pod && hopeless(pod);
      if (stuck) last = stuck;
      stuckSince = stuck ? (stuckSince ?? Date.now()) : undefined;
      if (Date.now() > until || (stuckSince !== undefined && Date.now() - stuckSince > STUCK_MS)) {
        throw new ConnectionLostError(`The sandbox ${name} does not answer: ${(last ?? noWord(pod)).message}`);
      }
      if (Date.now() - looked > LOOK_MS) {
        looked = Date.now();
        const found = await pods.read(name).catch((error: Error) => error);
        // While the API server is away, nobody can say that the pod is gone.
        if (found === undefined) giveUp('its pod is gone');
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          sleep(AGAIN_MS).then(resolve, resolve);
        });
      }
    }
  };

  const connection = async (ms: number): Promise<ClientHttp2Session> => {
    if (live && !live.closed && !live.destroyed) return live;
    dialling ??= dial(ms)
      .then((session) => {
        live = session;
        if (reason !== undefined) session.destroy();
        return session;
      })
      .finally(() => {
        dialling = undefined;
      });
    return await dialling;
  };

  /** Beside the live connection, and ended with it: that one notices when nobody answers any more. */
  const alone = async (question: Question): Promise<LargeAnswer> => {
    const session = await connection(patienceMs);
    const address = pods.known(name)?.status?.podIP;
    if (!address) throw new ConnectionLostError(`The sandbox ${name} has no address any more.`);
    const socket = await connectPod({ address, psk }, 'http/1.1').catch((error: Error) => {
      throw new ConnectionLostError(error.message, { cause: error });
    });
    const end = () => socket.destroy();
    session.once('close', end);
    socket.once('close', () => session.off('close', end)).on('error', () => undefined);
    if (session.closed || session.destroyed) end();
    return await askAlone(socket, question);
  };

  return {
    name,
    client: createToolClient(generation, () => connection(patienceMs), { token, alone }),
    async connected(ms) {
      await connection(ms);
    },
    gone: () => reason,
    close() {
      unfollow();
      giveUp('these hands are closed');
    },
  };
}

function hopeless(pod: V1Pod): Error | undefined {
  for (const { name, state } of pod.status?.containerStatuses ?? []) {
    const { reason = '', message = '' } = state?.waiting ?? {};
    if (HOPELESS.has(reason)) return new Error(`its container ${name} does not start: ${reason} ${message}`.trim());
  }
  return undefined;
}

function noWord(pod: V1Pod | undefined): Error {
  const scheduled = pod?.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return new Error(`no node takes it: ${scheduled.message ?? scheduled.reason}`);
  return new Error(`its pod is ${pod?.status?.phase ?? 'not known'} and has no address yet`);
}
