/** The OCI runtime spec (config.json) of a sandbox. https://github.com/opencontainers/runtime-spec */
import type { SandboxLimits } from '../hands.ts';
import { SKILLS } from '../server/protocol.ts';
import type { ReadOnlyMount } from './root-files.ts';

/** Paths inside. */
export const DOOR = '/run/longhand';
export const JOURNAL = '/var/lib/longhand';
export const RUN = '/run';
/** Under a mount of ours: an operator's /usr and /opt are read-only and have no place for them. */
export const NODE = '/run/tools/node';
export const TOOL_SERVER = '/run/tools/tool-server.mjs';

/** What the tool server needs of root's rights, inside. Commands have none. */
const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SYS_PTRACE',
];

/**
 * The first process is a loop, not the tool server: a crash of the server is then a restart that finds its journal,
 * not the end of the sandbox.
 */
const INIT = 'while :; do "$0" "$1" "$2"; sleep 0.1; done';

export interface OciParts {
  /** Host folders of this sandbox: the tree of mount points, the journal's (empty), and the one with the socket. */
  root: string;
  /** An empty folder, where there are to be skills. */
  skills?: string;
  journal: string;
  door: string;
  readOnly: ReadOnlyMount[];
  limits: SandboxLimits;
}

export function ociSpec({ root, journal, door, skills, readOnly, limits }: OciParts): object {
  const bind = ({ source, destination }: ReadOnlyMount) => ({
    destination,
    source,
    type: 'bind',
    options: ['rbind', 'ro', 'nosuid', 'nodev'],
  });
  // Writable, but an overlay: runsc gives it a disk file of its own, and never writes to this folder.
  const overlay = (destination: string, source: string) => ({
    destination,
    source,
    type: 'bind',
    options: ['rbind', 'rw', 'nosuid', 'nodev'],
  });
  const tmpfs = (destination: string, options: string[]) => ({
    destination,
    source: 'tmpfs',
    type: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  });
  return {
    ociVersion: '1.0.2',
    hostname: 'sandbox',
    root: { path: root, readonly: false },
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', INIT, NODE, TOOL_SERVER, `${DOOR}/server.json`],
      // Nothing of the host's environment.
      env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8', 'NODE_OPTIONS=--max-old-space-size=512'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [
        // Counted per uid inside: what the agent uses up, the server still has.
        { type: 'RLIMIT_NPROC', hard: limits.pids, soft: limits.pids },
        { type: 'RLIMIT_NOFILE', hard: 65_536, soft: 65_536 },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      ],
    },
    mounts: [
      { destination: '/proc', source: 'proc', type: 'proc' },
      tmpfs('/dev/shm', ['mode=1777', 'size=64m']),
      tmpfs('/run', ['mode=755', 'size=64m']),
      bind({ source: door, destination: DOOR }),
      overlay(JOURNAL, journal),
      // A mount: the agent owns the folder that it is in, and could put another one in the place of a plain folder.
      ...(skills ? [overlay(SKILLS, skills)] : []),
      ...readOnly.map(bind),
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    },
  };
}
