/**
 * Where Temporal is, and connecting to it. The variables are those of every Temporal program
 * (`@temporalio/envconfig`: https://docs.temporal.io/develop/environment-configuration), TLS and API key included.
 */
import { existsSync } from 'node:fs';
import { Connection } from '@temporalio/client';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { isLoopback, SettingsError } from './settings.ts';

/** A Temporal server and namespace. Both kinds of connection take it. */
export interface TemporalTarget {
  /** host:port */
  address: string;
  namespace: string;
  tls?: ClientConnectConfig['connectionOptions']['tls'];
  apiKey?: string;
  /** gRPC headers of every call (`TEMPORAL_GRPC_META_*`). */
  metadata?: ClientConnectConfig['connectionOptions']['metadata'];
}

/** Any of these says that a server of the operator's is meant, rather than the dev server. */
const NAMING = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'] as const;

/**
 * The server that the environment names; undefined when it names none. The configuration file is only read when
 * `TEMPORAL_PROFILE` or `TEMPORAL_CONFIG_FILE` asks for it: `longhand dev` must not end up on a company's server
 * because the person has a profile for it.
 * @throws SettingsError when what it names cannot be read, or cannot be obeyed.
 */
export function temporalTarget(env: NodeJS.ProcessEnv): TemporalTarget | undefined {
  if (!NAMING.some((name) => env[name])) return undefined;
  if (env.TEMPORAL_TLS_DISABLE_HOST_VERIFICATION) {
    throw new SettingsError(
      'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is set, and Longhand always verifies the server. Unset it; for a ' +
        'certificate of your own give TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_NAME.',
    );
  }
  const { connectionOptions, namespace } = loadConfig(env);
  const { address, tls, apiKey, metadata } = connectionOptions;
  if (!address) {
    const from = NAMING.filter((name) => env[name]).map((name) => `${name} (${env[name]})`);
    throw new SettingsError(`${from.join(' and ')} gives no address. Set TEMPORAL_ADDRESS to host:port.`);
  }
  return { address, namespace: namespace || 'default', ...defined({ tls, apiKey, metadata }) };
}

function loadConfig(env: NodeJS.ProcessEnv): ClientConnectConfig {
  const { TEMPORAL_CONFIG_FILE: file } = env;
  // The library takes a missing file for an empty one, and would connect without its TLS settings.
  if (file && !existsSync(file)) throw new SettingsError(`TEMPORAL_CONFIG_FILE is "${file}", which does not exist.`);
  const given = Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1]));
  try {
    return loadClientConnectConfig({
      overrideEnvVars: Object.fromEntries(given),
      disableFile: !env.TEMPORAL_PROFILE && !file,
      configFileStrict: true,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SettingsError(`The TEMPORAL_* variables cannot be used: ${message}.`);
  }
}

function defined<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** For clients. Rejects when the server does not answer within `timeoutMs`. */
export async function connectTemporal(target: Omit<TemporalTarget, 'namespace'>, timeoutMs = 10_000) {
  const { address, tls, apiKey, metadata } = target;
  return await Connection.connect({
    ...{ address, tls, apiKey, metadata },
    connectTimeout: timeoutMs,
    // gRPC follows http_proxy even to this machine.
    ...(isLoopback(hostOf(address)) ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {}),
  });
}

/** For workers. */
export async function connectWorker(target: TemporalTarget): Promise<NativeConnection> {
  installRuntime();
  const { address, tls, apiKey, metadata } = target;
  return await NativeConnection.connect({ address, tls, apiKey, metadata });
}

let isInstalled = false;

function installRuntime(): void {
  if (isInstalled) return;
  // Signals are ours: a worker is stopped in order (stop-worker.ts), for which the server must have heard of it.
  Runtime.install({ shutdownSignals: [], workerHeartbeatInterval: '5s' });
  isInstalled = true;
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}
