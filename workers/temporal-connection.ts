/** Connecting to Temporal. */
import { Connection } from '@temporalio/client';
import { isLoopback } from './settings.ts';

/** @param address - host:port. Rejects when the server does not answer within `timeoutMs`. */
export async function connectTemporal(address: string, timeoutMs = 10_000): Promise<Connection> {
  const host = address.slice(0, address.lastIndexOf(':'));
  return await Connection.connect({
    address,
    connectTimeout: timeoutMs,
    // gRPC follows http_proxy even to this machine.
    ...(isLoopback(host) ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {}),
  });
}
