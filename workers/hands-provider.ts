/** Which provider of sandboxes the hands worker drives, and what it needs from the settings. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Upkeep } from '../activities/sandbox-upkeep.ts';
import { createGvisorHands } from '../sandbox/gvisor/hands.ts';
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import type { CheckpointStore, Hands } from '../sandbox/hands.ts';
import { DEFAULT_TARGET, type Targets } from '../sandbox/targets.ts';
import { machineName } from './machine-name.ts';
import { cacheFolder } from './programs/cache.ts';
import { findRunsc } from './programs/find-program.ts';
import { type Settings, SettingsError } from './settings.ts';
import { loadServedTargets, queueOf } from './targets-file.ts';

export interface HandsProvider {
  hands: Hands;
  /** This machine's name, where only its own workers can reach the sandboxes that they make. */
  machine?: string;
  /** Saves every sandbox and ends it; absent where they wait for the next worker in any case. */
  suspend?(): Promise<void>;
  /** Where sandboxes are not one machine's: what keeps them in stock and ends orphans, and the installation's name. */
  upkeep?: { of: Upkeep; installation: string };
}

interface Parts {
  settings: Settings;
  /** Folder for what this worker keeps. */
  folder: string;
  checkpoints: CheckpointStore;
  log(message: string): void;
}

/** @throws SettingsError and SandboxImpossibleError when it cannot be had here. */
export async function openHandsProvider(parts: Parts): Promise<HandsProvider> {
  return parts.settings.LONGHAND_SANDBOX === 'kubernetes' ? await openKubernetes(parts) : await openGvisor(parts);
}

async function openGvisor({ settings, folder, checkpoints, log }: Parts): Promise<HandsProvider> {
  const targets = await loadServedTargets(settings);
  await assertSandboxPossible(settings.LONGHAND_HOME);
  const runsc = settings.LONGHAND_RUNSC ?? (await findRunsc({ env: process.env, onProgress: log }));
  const hands = createGvisorHands({
    runsc,
    nodeBinary: process.execPath,
    stateDir: join(folder, 'gvisor'),
    cacheDir: cacheFolder(),
    checkpoints,
    targets,
    ...(settings.LONGHAND_ROOTFS ? { rootfs: settings.LONGHAND_ROOTFS } : {}),
    log,
  });
  return { hands, machine: await machineName(join(folder, 'machine')), suspend: () => hands.suspendAll() };
}

async function openKubernetes({ settings, folder, checkpoints, log }: Parts): Promise<HandsProvider> {
  const image = settings.LONGHAND_SANDBOX_IMAGE;
  if (!image) {
    throw new SettingsError(
      'LONGHAND_SANDBOX is "kubernetes", and LONGHAND_SANDBOX_IMAGE is not set. Set it to the image that sandboxes run.',
    );
  }
  const targets = await loadServedTargets(settings);
  // Only where it is used: the client is large.
  const [{ connectCluster }, { createKubernetesHands }, { ownerHash }] = await Promise.all([
    import('../sandbox/kubernetes/cluster.ts'),
    import('../sandbox/kubernetes/hands.ts'),
    import('../sandbox/kubernetes/names.ts'),
  ]);
  const key = Buffer.from(settings.LONGHAND_SANDBOX_KEY ?? (await ownKey(join(folder, 'sandbox.key'))));
  const hands = createKubernetesHands({
    cluster: connectCluster(),
    namespace: settings.LONGHAND_KUBERNETES_NAMESPACE,
    image,
    runtimeClass: settings.LONGHAND_RUNTIME_CLASS,
    key,
    requestShare: settings.LONGHAND_SANDBOX_RESERVE,
    checkpoints,
    targets,
    warmPool: warmPools(settings, targets),
    log,
  });
  const installation = `${settings.LONGHAND_KUBERNETES_NAMESPACE}/${ownerHash(key)}`;
  return { hands, upkeep: { of: hands, installation } };
}

/** Of the targets that this worker serves. */
function warmPools(settings: Settings, targets: Targets = new Map()): Map<string, number> {
  const sizes = new Map([...targets].map(([name, { warmPool = 0 }]) => [name, warmPool]));
  sizes.set(DEFAULT_TARGET, settings.LONGHAND_WARM_POOL);
  return new Map([...sizes].filter(([name]) => queueOf(targets, name) === settings.LONGHAND_HANDS_QUEUE));
}

/** A key for a worker that shares its sandboxes with no other machine's: made once, kept with mode 0600. */
async function ownKey(file: string): Promise<string> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, randomBytes(32).toString('base64url'), { mode: 0o600 });
  // Two workers may start at once: the first link stands, and both read it.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return await readFile(file, 'utf8');
}
