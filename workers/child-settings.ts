/**
 * The environments of the children, made by the parent and read by them. They hold what the child needs and nothing
 * else: the brain gets the model key and the database, the hands get neither.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelSettings } from '../activities/model-client.ts';
import type { Settings } from './settings.ts';

/** Where things are in the data folder. */
export interface HomeLayout {
  home: string;
  /** The embedded PostgreSQL's cluster. */
  postgres: string;
  /** The Temporal dev server's database file. */
  temporal: string;
  /** The blob store. */
  blobs: string;
  /** What the hands worker keeps about its sandboxes; the hands' only writable folder besides blobs. */
  hands: string;
  /** Process files and what the workers report of themselves. */
  run: string;
  /** The API key that was made at the first start. */
  apiKey: string;
  lock: string;
}

export function homeLayout(home: string): HomeLayout {
  return {
    home,
    postgres: join(home, 'postgres'),
    temporal: join(home, 'temporal.db'),
    blobs: join(home, 'blobs'),
    hands: join(home, 'hands'),
    run: join(home, 'run'),
    apiKey: join(home, 'api-key'),
    lock: join(home, 'lock'),
  };
}

const temporalSchema = { TEMPORAL_ADDRESS: z.string(), TEMPORAL_NAMESPACE: z.string() };

const brainSchema = z.object({
  ...temporalSchema,
  DATABASE_URL: z.string(),
  LONGHAND_BLOBS: z.string(),
  MODEL_BASE_URL: z.string(),
  MODEL_API_KEY: z.string().default(''),
  MODEL_AUTH: z.enum(['x-api-key', 'bearer']),
  MODEL_VERSION: z.string().optional(),
  MODEL_HEADERS: z.string().default('{}'),
  LONGHAND_MODELS: z.string().optional(),
});

export interface BrainSettings {
  temporalAddress: string;
  namespace: string;
  databaseUrl: string;
  blobFolder: string;
  model: ModelSettings;
  /** For `loadModels`. */
  modelsFile?: string;
}

/** Read by `workers/brain.ts` from its own environment. */
export function readBrainSettings(env: NodeJS.ProcessEnv): BrainSettings {
  const values = brainSchema.parse(env);
  return {
    temporalAddress: values.TEMPORAL_ADDRESS,
    namespace: values.TEMPORAL_NAMESPACE,
    databaseUrl: values.DATABASE_URL,
    blobFolder: values.LONGHAND_BLOBS,
    model: {
      baseUrl: values.MODEL_BASE_URL,
      apiKey: values.MODEL_API_KEY,
      auth: values.MODEL_AUTH,
      version: values.MODEL_VERSION,
      headers: z.record(z.string(), z.string()).parse(JSON.parse(values.MODEL_HEADERS)),
    },
    modelsFile: values.LONGHAND_MODELS,
  };
}

const handsSchema = z.object({
  ...temporalSchema,
  LONGHAND_BLOBS: z.string(),
  LONGHAND_HANDS: z.string(),
  LONGHAND_RUNSC: z.string(),
  LONGHAND_ROOTFS: z.string().optional(),
});

export interface HandsSettings {
  temporalAddress: string;
  namespace: string;
  blobFolder: string;
  /** Folder for what must survive the worker: bundles, state, the probe's result. Absolute. */
  stateFolder: string;
  /** Path of runsc. */
  runsc: string;
  rootfs?: string;
}

/** Read by `workers/hands.ts` from its own environment. */
export function readHandsSettings(env: NodeJS.ProcessEnv): HandsSettings {
  const values = handsSchema.parse(env);
  return {
    temporalAddress: values.TEMPORAL_ADDRESS,
    namespace: values.TEMPORAL_NAMESPACE,
    blobFolder: values.LONGHAND_BLOBS,
    stateFolder: values.LONGHAND_HANDS,
    runsc: values.LONGHAND_RUNSC,
    rootfs: values.LONGHAND_ROOTFS,
  };
}

/** What the environment of every child has. */
const COMMON = ['HOME', 'LANG', 'TMPDIR', 'XDG_CACHE_HOME'];
/** For reaching a model provider from inside a company. */
const NETWORK = ['HTTPS_PROXY', 'https_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

export interface TemporalPlace {
  address: string;
  namespace: string;
}

export function temporalServerEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  return pick(env, COMMON);
}

export function brainEnv(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  layout: HomeLayout,
  temporal: TemporalPlace,
  databaseUrl: string,
): Record<string, string> {
  const proxied = env.HTTPS_PROXY || env.https_proxy;
  return defined({
    ...pick(env, [...COMMON, ...NETWORK]),
    // Node's fetch looks at HTTPS_PROXY only when it is told to.
    NODE_USE_ENV_PROXY: proxied ? '1' : undefined,
    NO_PROXY: proxied ? [env.NO_PROXY ?? env.no_proxy, 'localhost,127.0.0.1,::1'].filter(Boolean).join(',') : undefined,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    DATABASE_URL: databaseUrl,
    LONGHAND_BLOBS: layout.blobs,
    MODEL_BASE_URL: settings.MODEL_BASE_URL,
    MODEL_API_KEY: settings.MODEL_API_KEY,
    MODEL_AUTH: settings.MODEL_AUTH,
    MODEL_VERSION: settings.MODEL_VERSION,
    MODEL_HEADERS: JSON.stringify(settings.MODEL_HEADERS),
    LONGHAND_MODELS: settings.LONGHAND_MODELS,
  });
}

export function handsEnv(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  layout: HomeLayout,
  temporal: TemporalPlace,
  runsc: string,
): Record<string, string> {
  return defined({
    // systemd's slices and the sockets' folder need the last two; PATH is for tar, mount and their like.
    ...pick(env, [...COMMON, 'PATH', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    LONGHAND_BLOBS: layout.blobs,
    LONGHAND_HANDS: layout.hands,
    LONGHAND_RUNSC: runsc,
    LONGHAND_ROOTFS: settings.LONGHAND_ROOTFS,
  });
}

function pick(env: NodeJS.ProcessEnv, names: string[]): Record<string, string> {
  return defined(Object.fromEntries(names.map((name) => [name, env[name]])));
}

function defined(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
