/**
 * Programs that are not npm packages: `temporal`, `runsc`, and for tests a production Temporal server. Each is described here as plain data and found by
 * `find-program.ts`: on PATH, in the cache, by its official download, or built with Go.
 */

export interface Program {
  /** Name of the executable. */
  name: string;
  /** What the cache folder is called after: another version never meets an old file. */
  version: string;
  /** Why Longhand needs it, for messages. */
  purpose: string;
  /** Folder in `tools/go` whose go.mod pins its version by checksum. */
  goModule: string;
  /** Package path for `go build`. */
  goPackage: string;
  goFlags: string[];
  /** What a build takes, for the progress line. */
  goBuildTime: string;
  /** The host that the official download comes from. It is asked once, quickly. Absent: there is none. */
  downloadUrl?: string;
  /** What to do when nothing works, as the end of a sentence. */
  otherWay: string;
}

/** A program with an official download. */
export type Downloadable = Program & { downloadUrl: string };

/** Temporal's CLI with its development server (server 1.31.2). */
export const TEMPORAL: Downloadable = {
  name: 'temporal',
  version: '1.8.2',
  purpose: 'the Temporal development server',
  goModule: 'temporal',
  goPackage: 'github.com/temporalio/cli/cmd/temporal',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  goBuildTime: '4 to 7 minutes on 2 cores, and faster the second time',
  downloadUrl: 'https://temporal.download/cli/v1.8.2?arch=amd64&platform=linux&format=tar.gz',
  otherWay: 'put a "temporal" program on PATH, or set TEMPORAL_ADDRESS to a Temporal server of your own',
};

/** gVisor. The module version and the release are both named by date. */
export const RUNSC: Downloadable = {
  name: 'runsc',
  version: '0.0.0-20260905035102-160fafc42237',
  purpose: 'gVisor, the sandbox',
  goModule: 'runsc',
  goPackage: 'gvisor.dev/gvisor/runsc',
  goFlags: [],
  goBuildTime: '1 to 3 minutes on 2 cores',
  downloadUrl: `https://storage.googleapis.com/gvisor/releases/release/20260608/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}/runsc`,
  otherWay: 'install gVisor and put "runsc" on PATH, or set LONGHAND_RUNSC to its path',
};

const SERVER = {
  version: '1.31.2',
  goModule: 'temporal-server',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  otherWay: 'skip the tests that need it',
};

/** Temporal's production server. Only tests start it: `longhand` uses the one that it is given. */
export const TEMPORAL_SERVER: Program = {
  ...SERVER,
  name: 'temporal-server',
  purpose: 'the production Temporal server, for tests',
  goPackage: 'go.temporal.io/server/cmd/server',
  goBuildTime: '2 to 5 minutes on 2 cores',
};

/** Makes and updates the server's tables. */
export const TEMPORAL_SQL_TOOL: Program = {
  ...SERVER,
  name: 'temporal-sql-tool',
  purpose: 'the schema tool of the Temporal server, for tests',
  goPackage: 'go.temporal.io/server/cmd/tools/sql',
  goBuildTime: 'a minute',
};
