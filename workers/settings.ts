/**
 * The settings: environment variables, read once at start. `SETTINGS` is the one table; docs/settings.md is made from it
 * (`node workers/settings-page.ts`). No `ANTHROPIC_*` variable is among them: people point those at Longhand.
 */
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { apiKey, flag, headers, list, number, port, QUEUE, seconds, text, url } from './setting-kinds.ts';

interface Setting<T> {
  /** What applies when it is unset, for people. */
  default: string;
  /** What it is for; one or two sentences. */
  meaning: string;
  /** Gets the text of the variable, or undefined when it is unset or empty. */
  schema: z.ZodType<T, string | undefined>;
  /** Who reads it, besides `longhand dev`, which hands each part its own; `commands` are those that use the API. */
  readBy: readonly (ProcessName | 'commands')[];
}

/** A part of Longhand that runs alone: `longhand api`, `longhand brain`, `longhand hands`. */
export type ProcessName = 'api' | 'brain' | 'hands';

const ALL: readonly ProcessName[] = ['api', 'brain', 'hands'];

/** Every setting, in the order of docs/settings.md. */
export const SETTINGS = {
  LONGHAND_HOST: setting(
    ['api'],
    '127.0.0.1',
    'Address that the API listens on. Another one than loopback needs LONGHAND_API_KEY with at least 32 characters.',
    z.string().default('127.0.0.1'),
  ),
  LONGHAND_PORT: setting(['api'], '8787', 'Port of the API; 0 takes any free one.', port(8787)),
  LONGHAND_HOME: setting(
    ALL,
    '.longhand',
    'Data folder: database, Temporal’s database, blobs, the API key. Made with mode 0700. Must be on a local disk.',
    z
      .string()
      .default('.longhand')
      .transform((value) => (isAbsolute(value) ? value : resolve(value))),
  ),
  LONGHAND_READY_FILE: setting(
    ALL,
    'none',
    'File that is there while the part takes work; its time is renewed every 5 s. For probes; each part needs its own.',
    text,
  ),
  LONGHAND_API_KEY: setting(
    ['api', 'commands'],
    'made at the first start and kept in the data folder with mode 0600',
    'The API key of the default workspace; starts with "lh-". For commands: the key that they use.',
    apiKey,
  ),
  LONGHAND_URL: setting(
    ['commands'],
    'the running `longhand dev` of the data folder, else http://127.0.0.1:8787',
    'Where the API is, for the commands that use it (docs/cli.md).',
    url(['http', 'https'], 'https://longhand.example'),
  ),
  LONGHAND_ALLOWED_HOSTS: setting(
    ['api'],
    'none',
    'Comma list of further names that a Host header may have on loopback (localhost, 127.0.0.1 and [::1] may always).',
    list,
  ),
  LONGHAND_ALLOWED_ORIGINS: setting(['api'], 'none', 'Comma list of web origins that may call the API (CORS).', list),
  DATABASE_URL: setting(
    ['api', 'brain'],
    'an embedded PostgreSQL in the data folder',
    'A PostgreSQL of your own, version 15 or newer.',
    url(['postgres', 'postgresql'], 'postgres://user:password@host/longhand'),
  ),
  BLOB_URL: setting(
    ALL,
    'blobs in LONGHAND_HOME',
    'The blob store: a folder (`file:///…`), or a bucket of an S3-compatible store (`s3://bucket/prefix?endpoint=…&region=…&path_style=true`; credentials as for every AWS program, such as `AWS_ACCESS_KEY_ID`). All processes must see the same one; hands use only the parts of their sessions.',
    url(['file', 's3'], 'file:///srv/longhand/blobs or s3://bucket/longhand'),
  ),
  TEMPORAL_ADDRESS: setting(
    ALL,
    'a Temporal dev server in the data folder',
    'A Temporal server of your own, as host:port. Its namespace needs 30 days’ retention.',
    z
      .string()
      .regex(/^[^\s/]+:\d+$/, 'Give host:port, such as temporal.example:7233')
      .optional(),
  ),
  TEMPORAL_NAMESPACE: setting(ALL, 'default', 'Namespace on the Temporal server.', z.string().default('default')),
  TEMPORAL_PROFILE: setting(
    ALL,
    'none',
    'Profile of Temporal’s configuration file that says where the server is, how to reach it and as whom.',
    text,
  ),
  TEMPORAL_CONFIG_FILE: setting(
    ALL,
    'Temporal’s own place for it, and only with TEMPORAL_PROFILE',
    'Temporal’s configuration file (TOML).',
    text,
  ),
  TEMPORAL_API_KEY: setting(ALL, 'none', 'API key of the Temporal server; switches TLS on.', text),
  TEMPORAL_TLS: setting(
    ALL,
    'on with an API key or a certificate',
    '`true` or `false`. Certificates: TEMPORAL_TLS_CLIENT_CERT_PATH, _CLIENT_KEY_PATH, _SERVER_CA_CERT_PATH, _SERVER_NAME (or _DATA for _PATH).',
    text,
  ),
  MODEL_BASE_URL: setting(
    ['brain'],
    'https://api.anthropic.com',
    'Where the Messages API is: Anthropic’s, or a gateway that speaks it.',
    url(['http', 'https'], 'https://api.anthropic.com').transform((value) => value ?? 'https://api.anthropic.com'),
  ),
  MODEL_API_KEY: setting(
    ['brain'],
    'none: turns end with an error',
    'Key for the model provider. Only the brain gets it.',
    text,
  ),
  MODEL_AUTH: setting(
    ['brain'],
    'x-api-key',
    'How the key is sent: `x-api-key`, or `bearer` (Authorization header).',
    z.enum(['x-api-key', 'bearer'], 'Give x-api-key or bearer').default('x-api-key'),
  ),
  MODEL_VERSION: setting(
    ['brain'],
    '2023-06-01',
    'Value of the `anthropic-version` header sent to the provider.',
    text,
  ),
  MODEL_HEADERS: setting(['brain'], 'none', 'Further headers for the provider, a JSON object of strings.', headers),
  LONGHAND_MODELS: setting(['api', 'brain'], 'the built-in list', 'File that describes models, see below.', text),
  LONGHAND_STACK_TRACES: setting(
    ['brain'],
    'false',
    '`true`: the Temporal UI shows where a workflow waits (Call Stack). Costs a third more processor time of each workflow task.',
    flag,
  ),
  LONGHAND_TARGETS: setting(
    ALL,
    'none: every sandbox is an ordinary one',
    'File that describes the kinds of sandboxes which environments may ask for, see below. The same one for every part.',
    text,
  ),
  LONGHAND_HANDS_QUEUE: setting(
    ['hands'],
    'hands',
    'Task queue that the worker serves: `hands`, or that of targets with workers of their own, such as `hands.gpu`.',
    z.string().regex(QUEUE, 'Give hands, or a name such as hands.gpu').default('hands'),
  ),
  LONGHAND_SANDBOX: setting(
    ['hands'],
    'gvisor',
    'Where sandboxes run: `gvisor` (this machine) or `kubernetes` (pods, in the cluster that KUBECONFIG or the service account names).',
    z.enum(['gvisor', 'kubernetes'], 'Give gvisor or kubernetes').default('gvisor'),
  ),
  LONGHAND_KUBERNETES_NAMESPACE: setting(
    ['hands'],
    'longhand-sandboxes',
    'Kubernetes: namespace of the sandboxes, and of nothing else (k8s/sandboxes).',
    z
      .string()
      .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'Give the name of a namespace')
      .default('longhand-sandboxes'),
  ),
  LONGHAND_SANDBOX_IMAGE: setting(
    ['hands'],
    'none: needed with `kubernetes`',
    'Kubernetes: image of the sandboxes (k8s/image).',
    text,
  ),
  LONGHAND_RUNTIME_CLASS: setting(
    ['hands'],
    'gvisor',
    'Kubernetes: RuntimeClass of the sandboxes. It must lead to gVisor: the hands worker looks, and does not start otherwise.',
    z.string().default('gvisor'),
  ),
  LONGHAND_SANDBOX_KEY: setting(
    ['hands'],
    'made at the first start and kept in the data folder',
    'Kubernetes: secret of at least 32 characters from which sandboxes get their tokens. Hands workers that share sandboxes share it.',
    z
      .string()
      .regex(/^[\x21-\x7e]{32,}$/, 'Give at least 32 characters, chosen at random')
      .optional(),
  ),
  LONGHAND_SANDBOX_RESERVE: setting(
    ['hands'],
    '100',
    'Kubernetes: percent of a sandbox’s CPU and memory limits that its node sets aside. Less lets more sandboxes share a node.',
    number({ fallback: 100, least: 1, most: 100 }, 'Give a percentage from 1 to 100').transform((value) => value / 100),
  ),
  LONGHAND_WARM_POOL: setting(
    ['hands'],
    '0',
    'Kubernetes: sandboxes that are kept ready ahead of need. Each costs what an idle one costs; without, the first call waits for a pod.',
    number({ fallback: 0, least: 0, most: 1_000, whole: true }, 'Give a whole number from 0 to 1000'),
  ),
  LONGHAND_RUNSC: setting(
    ['hands'],
    'PATH, then the cache, then a download, then a build with Go',
    'Path of gVisor’s `runsc`.',
    text,
  ),
  LONGHAND_ROOTFS: setting(
    ['hands'],
    'the host’s /usr without /usr/local, /usr/etc and /usr/src',
    'Folder that becomes the root file system of sandboxes.',
    text,
  ),
  LONGHAND_TOOL_TIMEOUT_MAX: setting(
    ['api', 'brain'],
    '3600',
    'Longest time that one tool call may ask for, seconds. More is clamped, and the model is told.',
    seconds(3_600, 86_400),
  ),
  LONGHAND_SANDBOX_IDLE: setting(
    ['api', 'brain'],
    '300',
    'Idle time after which a sandbox is checkpointed and let go, seconds.',
    seconds(300, 604_800),
  ),
  LONGHAND_FILES_QUOTA: setting(
    ['api', 'brain'],
    '100',
    'Gigabytes (10⁹ bytes) that the uploaded files of one workspace may have together.',
    z
      .string()
      .optional()
      .transform((value, context) => {
        const number = value === undefined ? 100 : Number(value);
        if (Number.isFinite(number) && number > 0 && number <= 1_000_000) return number * 1e9;
        context.addIssue('Give a number of gigabytes above 0');
        return z.NEVER;
      }),
  ),
  LONGHAND_SKILLS_DIR: setting(
    ['api', 'brain'],
    'none: such skills are refused',
    'Folder with the skills of type `anthropic` that agents may name, one folder with a SKILL.md each: pptx, xlsx, ….',
    z
      .string()
      .optional()
      .transform((value) => (value === undefined ? undefined : resolve(value))),
  ),
  LONGHAND_DOWNLOAD_UPLOADS: setting(
    ['api', 'brain'],
    'false',
    '`true`: uploaded files can be downloaded again. The hosted API gives out only what agents made.',
    flag,
  ),
} as const;

function setting<T>(
  readBy: Setting<T>['readBy'],
  standard: string,
  meaning: string,
  schema: z.ZodType<T, string | undefined>,
): Setting<T> {
  return { default: standard, meaning, schema, readBy };
}

export type SettingName = keyof typeof SETTINGS;
/** Parsed values by variable name. Times are in ms, LONGHAND_HOME is absolute. */
export type Settings = { readonly [N in SettingName]: z.output<(typeof SETTINGS)[N]['schema']> };

/** Thrown at start; the message names each wrong variable, its value (never a key's) and the fix. */
export class SettingsError extends Error {
  override name = 'SettingsError';
  readonly exitCode = 2;
}

const SECRETS: ReadonlySet<string> = new Set([
  'LONGHAND_API_KEY',
  'MODEL_API_KEY',
  'DATABASE_URL',
  'MODEL_HEADERS',
  'TEMPORAL_API_KEY',
  'LONGHAND_SANDBOX_KEY',
]);

/** @throws SettingsError with all problems at once. An empty variable counts as unset. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { schema }] of Object.entries(SETTINGS)) {
    const given = env[name] || undefined;
    const parsed = schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name} is ${shown(name, given)}. ${parsed.error.issues[0]?.message ?? 'It is not valid'}.`);
  }
  const settings = values as Settings;
  if (problems.length === 0) problems.push(...bindProblems(settings));
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return settings;
}

function shown(name: string, value: string | undefined): string {
  return SECRETS.has(name) ? 'not valid (its value is not shown)' : JSON.stringify(value ?? '');
}

/** Whoever reaches the port has only the key to pass, so it must be one that a person chose and cannot be guessed. */
function bindProblems(settings: Settings): string[] {
  const { LONGHAND_HOST: host, LONGHAND_API_KEY: key } = settings;
  if (isLoopback(host) || (key !== undefined && key.length >= 32)) return [];
  return [
    `LONGHAND_HOST is "${host}", which other machines can reach, and LONGHAND_API_KEY is ` +
      `${key === undefined ? 'not set' : 'shorter than 32 characters'}. Set LONGHAND_API_KEY to a random key of at ` +
      'least 32 characters that starts with "lh-", or use LONGHAND_HOST=127.0.0.1.',
  ];
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
