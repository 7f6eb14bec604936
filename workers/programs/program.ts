/**
 * Programs that are not npm packages: `temporal` and `runsc`. Each is described here as plain data and found by
 * `find-program.ts`: on PATH, in the cache, by its official download, or built with Go.
 */

export interface Program {
  /** Name of the executable. */
  name: string;
  /** What the cache folder is called after: another version never meets an old file. */
  version: string;
  /** Why Longhand needs it, for messages. */
  purpose: string;
  /** Package path for `go build`, whose version the go.mod in `tools/go/<name>` pins by checksum. */
  goPackage: string;
  goFlags: string[];
  /** What a build takes, for the progress line. */
  goBuildTime: string;
  /** The host that the official download comes from. It is asked once, quickly, before anything is tried. */
  downloadUrl: string;
  /** What to do when nothing works, as the end of a sentence. */
  otherWay: string;
}

/** Temporal's CLI with its development server (server 1.31.2). */
export const TEMPORAL: Program = {
  name: 'temporal',
  version: '1.8.2',
  purpose: 'the Temporal development server',
  goPackage: 'github.com/temporalio/cli/cmd/temporal',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  goBuildTime: '4 to 7 minutes on 2 cores, and faster the second time',
  downloadUrl: 'https://temporal.download/cli/v1.8.2?arch=amd64&platform=linux&format=tar.gz',
  otherWay: 'put a "temporal" program on PATH, or set TEMPORAL_ADDRESS to a Temporal server of your own',
};

/** gVisor. The module version and the release are both named by date. */
export const RUNSC: Program = {
  name: 'runsc',
  version: '0.0.0-20260905035102-160fafc42237',
  purpose: 'gVisor, the sandbox',
  goPackage: 'gvisor.dev/gvisor/runsc',
  goFlags: [],
  goBuildTime: '1 to 3 minutes on 2 cores',
  downloadUrl: `https://storage.googleapis.com/gvisor/releases/release/20260608/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}/runsc`,
  otherWay: 'install gVisor and put "runsc" on PATH, or set LONGHAND_RUNSC to its path',
};
