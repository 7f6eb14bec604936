/**
 * The sandbox probe: whether this machine can isolate at all, asked before anything is downloaded or built. It looks at
 * what gVisor will need, tries the decisive step, and names cause and fix. (That gVisor itself works is asked later, by
 * running it.)
 */
import { execFile } from 'node:child_process';
import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Why there can be no sandbox here, in whole sentences. */
export interface Obstacle {
  cause: string;
  fix: string;
}

/** What the probe looks at; undefined where this kernel does not have the switch. */
export interface SandboxFacts {
  uid: number;
  /** CAP_SYS_ADMIN is in the effective set. */
  sysAdmin: boolean;
  /** A seccomp filter is on this process, as containers have. */
  seccompFilter: boolean;
  /** /proc/sys/user/max_user_namespaces */
  maxUserNamespaces: number | undefined;
  /** /proc/sys/kernel/unprivileged_userns_clone (Debian's kernels) */
  unprivilegedUsernsClone: number | undefined;
  /** /proc/sys/kernel/apparmor_restrict_unprivileged_userns (Ubuntu 24.04 and newer) */
  apparmorRestrictsUserns: number | undefined;
  /** What happened when namespaces were made: `ok`, the error's text, or undefined where `unshare` is not installed. */
  namespaces: 'ok' | { error: string } | undefined;
  dataFolder: string;
  /** Kind of its file system, when it is one that locks or ownership do not work on. */
  networkFileSystem: string | undefined;
}

/** Thrown by {@link assertSandboxPossible}. The message has one cause and fix per paragraph. */
export class SandboxImpossibleError extends Error {
  override name = 'SandboxImpossibleError';
  /** Exit code of the commands that meet it. */
  readonly exitCode = 2;
}

/** @throws SandboxImpossibleError when nothing could be isolated on this machine, or the data folder is unfit. */
export async function assertSandboxPossible(dataFolder: string): Promise<void> {
  const found = obstacles(await sandboxFacts(dataFolder));
  if (found.length === 0) return;
  throw new SandboxImpossibleError(
    `Longhand cannot start here: it never runs an agent’s commands without a sandbox.\n${found
      .map(({ cause, fix }) => `\n- ${cause}\n  What to do: ${fix}`)
      .join('')}`,
  );
}

const IN_DOCKER =
  'run the container with --privileged, or with --cap-add SYS_ADMIN --security-opt seccomp=unconfined ' +
  '--security-opt apparmor=unconfined; or run Longhand outside a container.';

/** Pure: the judgement over the facts, all causes at once. */
export function obstacles(facts: SandboxFacts): Obstacle[] {
  const found = facts.uid === 0 ? rootObstacles(facts) : userObstacles(facts);
  if (facts.networkFileSystem !== undefined) {
    found.push({
      cause: `The data folder ${facts.dataFolder} is on ${facts.networkFileSystem}, where databases lose data and sockets do not work.`,
      fix: 'set LONGHAND_HOME to a folder on a local disk (in WSL2 and in virtual machines: one inside the Linux home, not a shared folder of the host).',
    });
  }
  return found;
}

function rootObstacles(facts: SandboxFacts): Obstacle[] {
  if (!facts.sysAdmin) {
    return [
      { cause: 'This is root without the capability CAP_SYS_ADMIN, as in an ordinary container.', fix: IN_DOCKER },
    ];
  }
  if (!failed(facts)) return [];
  return [{ cause: `Namespaces cannot be made, although this is root: ${errorOf(facts)}.`, fix: IN_DOCKER }];
}

function userObstacles(facts: SandboxFacts): Obstacle[] {
  const user = `uid ${facts.uid}`;
  if (facts.maxUserNamespaces === 0) {
    return [
      {
        cause: 'User namespaces are switched off on this machine (user.max_user_namespaces is 0).',
        fix: 'sudo sysctl -w user.max_user_namespaces=15000 (and the same line in /etc/sysctl.d/ to keep it), or run Longhand as root.',
      },
    ];
  }
  if (facts.unprivilegedUsernsClone === 0) {
    return [
      {
        cause: `Ordinary users (${user}) may not make user namespaces (kernel.unprivileged_userns_clone is 0).`,
        fix: 'sudo sysctl -w kernel.unprivileged_userns_clone=1 (and the same line in /etc/sysctl.d/ to keep it), or run Longhand as root.',
      },
    ];
  }
  if (facts.namespaces === 'ok') return [];
  if (facts.apparmorRestrictsUserns === 1) {
    return [
      {
        cause: `AppArmor keeps ordinary users (${user}) from using user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1, as on Ubuntu 24.04 and newer).`,
        fix: 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and the same line in /etc/sysctl.d/ to keep it), or run Longhand as root.',
      },
    ];
  }
  if (!failed(facts)) return [];
  if (facts.seccompFilter) {
    return [
      {
        cause: `A seccomp filter, as containers have, keeps this user (${user}) from making namespaces: ${errorOf(facts)}.`,
        fix: IN_DOCKER,
      },
    ];
  }
  return [
    {
      cause: `This user (${user}) cannot make user namespaces: ${errorOf(facts)}.`,
      fix: 'find out what forbids it (LSM, systemd’s RestrictNamespaces=, a hardened kernel), or run Longhand as root.',
    },
  ];
}

function failed({ namespaces }: SandboxFacts): boolean {
  return namespaces !== undefined && namespaces !== 'ok';
}

function errorOf({ namespaces }: SandboxFacts): string {
  return typeof namespaces === 'object' ? namespaces.error : 'no reason is known';
}

/** @param dataFolder - need not be there yet: its nearest existing parent is looked at. */
export async function sandboxFacts(dataFolder: string): Promise<SandboxFacts> {
  const uid = process.getuid?.() ?? 0;
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return {
    uid,
    sysAdmin: hasCapability(/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1], 21),
    seccompFilter: /^Seccomp:\s*2$/m.test(status),
    maxUserNamespaces: await readNumber('/proc/sys/user/max_user_namespaces'),
    unprivilegedUsernsClone: await readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmorRestrictsUserns: await readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    namespaces: await tryNamespaces(uid),
    dataFolder,
    networkFileSystem: await networkFileSystem(dataFolder),
  };
}

/** Making the namespaces is not enough under AppArmor: --mount also does something with the rights inside them. */
async function tryNamespaces(uid: number): Promise<SandboxFacts['namespaces']> {
  const flags = ['--mount', '--pid', '--fork', '--net', ...(uid === 0 ? [] : ['--user', '--map-root-user'])];
  return await new Promise((resolve) => {
    execFile('unshare', [...flags, 'true'], { timeout: 5_000 }, (error, _stdout, stderr) => {
      if (error === null) resolve('ok');
      else if (error.code === 'ENOENT') resolve(undefined);
      else resolve({ error: stderr.trim().split('\n')[0] || error.message });
    });
  });
}

/** Magic numbers of statfs(2). */
const NETWORK_FILE_SYSTEMS = new Map([
  [0x01021997, '9p (a folder shared from a host, or a Windows drive in WSL2)'],
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
]);

async function networkFileSystem(folder: string): Promise<string | undefined> {
  let place = folder;
  while (!(await stat(place).catch(() => undefined)) && place !== dirname(place)) place = dirname(place);
  const { type } = await statfs(place);
  return NETWORK_FILE_SYSTEMS.get(type);
}

function hasCapability(set: string | undefined, bit: number): boolean {
  return set !== undefined && ((BigInt(`0x${set}`) >> BigInt(bit)) & 1n) === 1n;
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}
