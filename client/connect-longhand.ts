/** A client with a connection of its own, to where Temporal's usual variables say. */
import { Client, Connection } from '@temporalio/client';
import { type LoadClientProfileOptions, loadClientConnectConfig } from '@temporalio/envconfig';
import { createLonghand } from './create-longhand.ts';
import type { Longhand, LonghandOptions } from './longhand.ts';

const CONNECT_MS = 10_000;

export interface ConnectedLonghand extends Longhand {
  close(): Promise<void>;
}

/**
 * Connects as every Temporal program does: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
 * `TEMPORAL_TLS…`, or a profile of Temporal's configuration file
 * (https://docs.temporal.io/develop/environment-configuration). Without any: 127.0.0.1:7233, namespace `default`.
 * A Longhand of `longhand dev` tells its address in `.longhand/run/temporal.json`.
 *
 * @param options.temporal - a profile, a file, other variables: as `loadClientConnectConfig` takes it.
 * @throws Error when the server cannot be reached within 10 s.
 * @example
 * import { connectLonghand } from 'longhand/client';
 *
 * const longhand = await connectLonghand();
 * try {
 *   const { id } = await longhand.startSession({ agent: 'agent_01K9…', environment_id: 'env_01K9…' });
 * } finally {
 *   await longhand.close();
 * }
 */
export async function connectLonghand(
  options: LonghandOptions & { temporal?: LoadClientProfileOptions } = {},
): Promise<ConnectedLonghand> {
  const { connectionOptions, namespace } = loadClientConnectConfig(options.temporal ?? {});
  const { address = '127.0.0.1:7233', tls, apiKey, metadata } = connectionOptions;
  const isLocal = /^(localhost|127(\.\d{1,3}){3}|\[::1\]):/.test(address);
  const connection = await Connection.connect({
    ...{ address, tls, apiKey, metadata },
    connectTimeout: CONNECT_MS,
    // gRPC follows http_proxy even to this machine.
    ...(isLocal ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {}),
  });
  const longhand = createLonghand(new Client({ connection, namespace: namespace || 'default' }), options);
  return { ...longhand, close: () => connection.close() };
}
