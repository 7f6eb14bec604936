/** The api's HTTP server in this process. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { createApi } from '../api/app.ts';
import type { ApiDeps } from '../api/context.ts';
import { StartError } from './data-folder.ts';
import { isLoopback } from './settings.ts';

/** Limits against clients that are slow on purpose, or many. */
const HEADERS_MS = 15_000;
const REQUEST_MS = 120_000;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_CONNECTIONS = 1_000;
/** How long answers under way may take when the server closes. Event streams are cut: clients resume them. */
const CLOSE_MS = 2_000;

export interface ApiServer {
  /** `http://host:port` */
  url: string;
  close(): Promise<void>;
}

/** @throws StartError when the port is in use. */
export async function serveApi(deps: ApiDeps, host: string, port: number): Promise<ApiServer> {
  const app = createApi(deps, { loopback: isLoopback(host) });
  const server = createServer(
    { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, maxHeaderSize: MAX_HEADER_BYTES },
    getRequestListener(app.fetch),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host.replace(/^\[(.*)\]$/, '$1'));
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${error.message})`;
    throw new StartError(`Port ${port} of ${host} ${why}. Set LONGHAND_PORT or LONGHAND_HOST.`);
  });
  return { url: urlOf(server, host), close: () => close(server) };
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`;
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await closed;
  clearTimeout(timer);
}
