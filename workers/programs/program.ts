/**
 * Programs that are not npm packages: `temporal` and `runsc`, and what only tests need. Each is described here as plain
 * data and found by `find-program.ts`: on PATH, in the cache, by its official download, or built with Go.
 */

export interface Program {
  /** Name of the executable. */
  name: string;
  /** What the cache folder is called after: another version never meets an old file. */
  version: string;
  /** Why Longhand needs it, for messages. */
  purpose: string;
  /** Package path for `go build`, whose version the go.mod in `tools/go/<goModule>` pins by checksum. */
  goPackage: string;
  /** Folder in `tools/go/`. */
  goModule: string;
  goFlags: string[];
  /** What a build takes, for the progress line. */
  goBuildTime: string;
  /** The host that the official download comes from. It is asked once, quickly. Absent: the program is only built. */
  downloadUrl?: string;
  /** What to do when nothing works, as the end of a sentence. */
  otherWay: string;
}

type DownloadableProgram = Program & { downloadUrl: string };

/** Temporal's CLI with its development server (server 1.31.2). */
export const TEMPORAL: DownloadableProgram = {
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
export const RUNSC: DownloadableProgram = {
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

const SERVER_VERSION = '1.31.2';
/** As Temporal builds its images. The rest as for TEMPORAL, so that the two share Go's build cache. */
const SERVER_FLAGS = [...TEMPORAL.goFlags, '-tags', 'disable_grpc_modules'];
const SERVER_OTHER_WAY = `put the programs of Temporal's server ${SERVER_VERSION} on PATH`;

/** Temporal's production server, for the tests against the layout of docker-compose.temporal.yml. */
export const TEMPORAL_SERVER: Program = {
  name: 'temporal-server',
  version: SERVER_VERSION,
  purpose: 'the Temporal server, for tests',
  goPackage: 'go.temporal.io/server/cmd/server',
  goModule: 'temporal-server',
  goFlags: SERVER_FLAGS,
  goBuildTime: 'half a minute once `temporal` has been built here, else 4 to 7 minutes on 2 cores',
  otherWay: SERVER_OTHER_WAY,
};

/** The program that sets up the database of {@link TEMPORAL_SERVER}. */
export const TEMPORAL_SQL_TOOL: Program = {
  ...TEMPORAL_SERVER,
  name: 'temporal-sql-tool',
  purpose: 'sets up the Temporal server’s database, for tests',
  goPackage: 'go.temporal.io/server/cmd/tools/sql',
  goBuildTime: 'seconds once temporal-server has been built here',
};

/** An S3-compatible store over a folder, for tests of the blob store. */
export const S3_SERVER: Program = {
  name: 'versitygw',
  version: '1.8.0',
  purpose: 'an S3-compatible store, for tests',
  goPackage: 'github.com/versity/versitygw/cmd/versitygw',
  goModule: 's3-server',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  goBuildTime: '1 to 4 minutes on 2 cores',
  otherWay: 'leave out store/blobs/s3.test.ts',
};

/** The Compose Specification's own reader and judge of compose files. */
export const COMPOSE_SPEC: Program = {
  name: 'compose-spec',
  version: '2.16.2',
  purpose: 'checks compose files, for tests',
  goPackage: 'github.com/compose-spec/compose-go/v2/cmd',
  goModule: 'compose-spec',
  goFlags: ['-trimpath'],
  goBuildTime: 'under a minute',
  otherWay: 'leave out test/compose.test.ts',
};

/** Renders and judges the Helm chart in k8s/chart. */
export const HELM: Program = {
  name: 'helm',
  version: '4.3.1',
  purpose: 'renders the Helm chart, for tests',
  goPackage: 'helm.sh/helm/v4/cmd/helm',
  goModule: 'helm',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  goBuildTime: '2 to 5 minutes on 2 cores',
  otherWay: 'put Helm 3 or 4 on PATH',
};

/** Decodes manifests into Kubernetes' own types, strictly. The version is that of the types. */
export const KUBERNETES_STRICT: Program = {
  name: 'kubernetes-strict',
  version: '1.34.4',
  purpose: 'checks Kubernetes manifests, for tests',
  goPackage: '.',
  goModule: 'kubernetes-strict',
  goFlags: ['-trimpath', '-ldflags', '-s -w'],
  goBuildTime: 'about a minute',
  otherWay: 'leave out k8s/chart/chart.test.ts',
};
