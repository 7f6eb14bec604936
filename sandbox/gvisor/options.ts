/** What the `gvisor` provider is told. */
import type { CheckpointStore, SandboxLimits } from '../hands.ts';
import type { Targets } from '../targets.ts';

export interface GvisorOptions {
  /** Absolute path of gVisor's `runsc`: a static build (`CGO_ENABLED=0`). */
  runsc: string;
  /** Absolute path of the Node binary that sandboxes get, of the host's architecture and libc. */
  nodeBinary: string;
  /** Folder for records of live sandboxes; the same one after a restart. */
  stateDir: string;
  /** Folder for sockets; short. Default `$XDG_RUNTIME_DIR`, else /tmp. */
  socketDir?: string;
  /** Folder for what can be made again: the tool server's bundle, a generated /etc. */
  cacheDir: string;
  checkpoints: CheckpointStore;
  /** Absent members: {@link DEFAULT_LIMITS}. */
  limits?: Partial<SandboxLimits>;
  /** The operator's. Sandboxes here can have another's limits and nothing else of it. Absent: only the ordinary one. */
  targets?: Targets;
  /**
   * Root file system of the operator's instead of the host's /usr, mounted read-only. It needs bash, coreutils,
   * findutils and tar, and the libraries of `nodeBinary` (glibc, libstdc++).
   */
  rootfs?: string;
  /** false: limits by affinity and watchdog even where control groups could be had. For tests. */
  cgroups?: boolean;
  /**
   * Milliseconds that a live sandbox may take to answer a ping, and then to dial anew, before it counts as stuck and is
   * ended. Default 25,000.
   */
  patienceMs?: number;
  log?: (message: string) => void;
}

export const DEFAULT_PATIENCE_MS = 25_000;

export const DEFAULT_LIMITS: SandboxLimits = {
  memoryBytes: 2 * 1024 ** 3,
  cpus: 2,
  pids: 512,
  diskBytes: 8 * 1024 ** 3,
  outputBytes: 16 * 1024 ** 2,
};
