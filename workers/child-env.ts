/**
 * The environments of the children. Nothing is inherited: the brain gets the model key and the database, the hands get
 * neither. The names are those of docs/settings.md, so that each part runs alone with the same variables.
 */
import type { HomeLayout } from './data-folder.ts';
import type { Settings } from './settings.ts';
import { type TemporalTarget, temporalTarget } from './temporal-connection.ts';

/** What the environment of every child has. */
const COMMON = ['HOME', 'LANG', 'TMPDIR', 'XDG_CACHE_HOME'];
/** For reaching a model provider from inside a company. */
const NETWORK = ['HTTPS_PROXY', 'https_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

export function temporalServerEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  return pick(env, COMMON);
}

export function brainEnv(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  layout: HomeLayout,
  temporal: TemporalTarget,
  databaseUrl: string,
): Record<string, string> {
  const proxied = env.HTTPS_PROXY || env.https_proxy;
  return defined({
    ...pick(env, [...COMMON, ...NETWORK]),
    // Node's fetch looks at HTTPS_PROXY only when it is told to.
    NODE_USE_ENV_PROXY: proxied ? '1' : undefined,
    NO_PROXY: proxied ? [env.NO_PROXY ?? env.no_proxy, 'localhost,127.0.0.1,::1'].filter(Boolean).join(',') : undefined,
    ...temporalEnv(env, temporal),
    DATABASE_URL: databaseUrl,
    LONGHAND_HOME: layout.home,
    ...bucketEnv(settings, env),
    MODEL_BASE_URL: settings.MODEL_BASE_URL,
    MODEL_API_KEY: settings.MODEL_API_KEY,
    MODEL_AUTH: settings.MODEL_AUTH,
    MODEL_VERSION: settings.MODEL_VERSION,
    MODEL_HEADERS: JSON.stringify(settings.MODEL_HEADERS),
    LONGHAND_MODELS: settings.LONGHAND_MODELS,
    LONGHAND_TARGETS: settings.LONGHAND_TARGETS,
    LONGHAND_STACK_TRACES: String(settings.LONGHAND_STACK_TRACES),
    LONGHAND_TOOL_TIMEOUT_MAX: String(settings.LONGHAND_TOOL_TIMEOUT_MAX / 1_000),
    LONGHAND_SANDBOX_IDLE: String(settings.LONGHAND_SANDBOX_IDLE / 1_000),
  });
}

export function handsEnv(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  layout: HomeLayout,
  temporal: TemporalTarget,
  runsc: string | undefined,
): Record<string, string> {
  return defined({
    // systemd's slices and the sockets' folder need the last two; PATH is for tar, mount and their like.
    ...pick(env, [...COMMON, 'PATH', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']),
    ...temporalEnv(env, temporal),
    LONGHAND_HOME: layout.home,
    ...bucketEnv(settings, env),
    LONGHAND_RUNSC: runsc,
    LONGHAND_ROOTFS: settings.LONGHAND_ROOTFS,
    LONGHAND_TARGETS: settings.LONGHAND_TARGETS,
    LONGHAND_HANDS_QUEUE: settings.LONGHAND_HANDS_QUEUE,
    LONGHAND_SANDBOX: settings.LONGHAND_SANDBOX,
    ...(settings.LONGHAND_SANDBOX === 'kubernetes' ? kubernetesEnv(settings, env) : {}),
  });
}

/** The blob store, and how to reach it when it is a bucket. */
function bucketEnv({ BLOB_URL }: Settings, env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  if (!BLOB_URL?.startsWith('s3:')) return { BLOB_URL };
  const aws = Object.keys(env).filter((name) => name.startsWith('AWS_'));
  return { ...pick(env, [...aws, ...NETWORK]), BLOB_URL };
}

function kubernetesEnv(settings: Settings, env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return {
    ...pick(env, ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT']),
    LONGHAND_KUBERNETES_NAMESPACE: settings.LONGHAND_KUBERNETES_NAMESPACE,
    LONGHAND_SANDBOX_IMAGE: settings.LONGHAND_SANDBOX_IMAGE,
    LONGHAND_RUNTIME_CLASS: settings.LONGHAND_RUNTIME_CLASS,
    LONGHAND_SANDBOX_KEY: settings.LONGHAND_SANDBOX_KEY,
    LONGHAND_WARM_POOL: String(settings.LONGHAND_WARM_POOL),
    LONGHAND_SANDBOX_RESERVE: String(settings.LONGHAND_SANDBOX_RESERVE * 100),
  };
}

/** How to reach Temporal: the operator's own variables, and the address and namespace that came of them. */
function temporalEnv(env: NodeJS.ProcessEnv, { address, namespace }: TemporalTarget): Record<string, string> {
  // A key or certificate that is there without an address is not meant for the dev server.
  const given = temporalTarget(env) ? Object.keys(env).filter((name) => name.startsWith('TEMPORAL_')) : [];
  return { ...pick(env, given), TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
}

function pick(env: NodeJS.ProcessEnv, names: string[]): Record<string, string> {
  return defined(Object.fromEntries(names.map((name) => [name, env[name]])));
}

function defined(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
