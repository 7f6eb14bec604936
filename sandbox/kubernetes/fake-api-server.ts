/**
 * An API server for tests, over real HTTP on the loopback: the part of the Kubernetes API that this provider uses, and
 * the faults that a healthy cluster never shows, switched on by the test.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type Cluster, connectCluster } from './cluster.ts';
import { openStore, type Preconditions, StatusError, type Store, type Stored } from './fake-api-store.ts';
import { type FakeWatch, openWatch } from './fake-api-watch.ts';

type Verb = 'list' | 'watch' | 'read' | 'create' | 'replace' | 'patch' | 'delete';
/** What is asked for, such as `patch pods`. */
export type Asked = `${Verb} ${'pods' | 'leases'}`;

/**
 * What happens to a request.
 * - `silent`: done, and never answered. `deaf`: never even looked at.
 * - `reset`: the connection ends before the server has looked at it.
 * - `lost`: done, and the connection ends before the answer.
 * - `stalled`: done, and the answer stops half way.
 * - `garbage`: done, and the answer is a proxy's page.
 * - `status`: refused, in the API's own form.
 * - `before`, `after`: what somebody else does before it is done, or before it is answered; else it is served as ever.
 */
export type Fault =
  | 'silent'
  | 'deaf'
  | 'reset'
  | 'lost'
  | 'stalled'
  | 'garbage'
  | { status: number; reason?: string }
  | { before(request: { name: string; body: Partial<Stored> }): unknown }
  | { after(): unknown };

export interface FakeApiServer {
  pods: Store;
  leases: Store;
  /** All requests, in their order. */
  requests: Asked[];
  /** Open watches of pods, oldest first. */
  watches: FakeWatch[];
  /** Connections that were ever made. */
  connections(): number;
  /** Connections that are open. */
  open(): number;
  /** The next `times` (default: all) requests of this kind meet the fault; returns how to end it. */
  fault(asked: Asked, fault: Fault, times?: number): () => void;
  /** Connections end, and new ones are refused. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** A client of it, the real one; closed with the server. @param callMs - deadline of a call. */
  connect(callMs?: number): Cluster;
  close(): Promise<void>;
}

export interface FakeApiOptions {
  /** How long a deleted pod stays, terminating, milliseconds. */
  graceMs?: number;
  bookmarkMs?: number;
}

export async function startFakeApi({ graceMs = 10, bookmarkMs = 50 }: FakeApiOptions = {}): Promise<FakeApiServer> {
  const count = { version: 100 };
  const stores = { pods: openStore('pods', count), leases: openStore('leases', count) };
  const faults: { asked: Asked; fault: Fault; left: number }[] = [];
  const requests: Asked[] = [];
  const watches: FakeWatch[] = [];
  const clusters: Cluster[] = [];
  let connections = 0;
  let open = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { asked, kind, name, search } = parse(request);
    requests.push(asked);
    const body = request.method === 'GET' ? {} : await json(request).catch(() => ({}));
    const found = faults.find((one) => one.asked === asked && one.left > 0);
    if (found) found.left--;
    const fault = found?.fault;
    if (typeof fault === 'object' && 'before' in fault) await fault.before({ name, body: body as Partial<Stored> });
    if (fault === 'deaf') return;
    if (fault === 'reset') return void request.socket.destroy();
    if (asked === 'watch pods' && (fault === undefined || 'before' in Object(fault))) {
      const version = Number(search.get('resourceVersion'));
      const labelSelector = search.get('labelSelector') ?? undefined;
      const wanted = { response, version, labelSelector, bookmarkMs };
      watches.push(openWatch(stores.pods, wanted, (watch) => watches.splice(watches.indexOf(watch), 1)));
      return;
    }
    const refused = typeof fault === 'object' && 'status' in fault ? fault : undefined;
    const { status, text } = outcomeOf(() => {
      if (refused) throw new StatusError(refused.status, refused.reason ?? 'Fault', 'The test wants it.');
      return answerTo(stores[kind], asked, name, body, search, kind === 'pods' ? graceMs : 0);
    });
    if (typeof fault === 'object' && 'after' in fault) await fault.after();
    if (fault === 'silent') return;
    if (fault === 'lost') return void request.socket.destroy();
    if (fault === 'garbage') return send(response, 200, '<html>Welcome to your proxy</html>');
    if (fault !== 'stalled') return send(response, status, text);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
    response.write(text.slice(0, text.length / 2));
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: Error) => response.destroy(error));
  });
  server.on('connection', (socket) => {
    connections++;
    open++;
    socket.once('close', () => open--);
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const goAway = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };

  return {
    ...stores,
    requests,
    watches,
    connections: () => connections,
    open: () => open,
    fault(asked, fault, times = Number.POSITIVE_INFINITY) {
      const added = { asked, fault, left: times };
      faults.push(added);
      return () => {
        added.left = 0;
      };
    },
    goAway,
    async comeBack() {
      await listen(port);
    },
    connect(callMs) {
      const cluster = connectCluster((config) => {
        const server = { name: 'fake', server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
        config.loadFromClusterAndUser(server, { name: 'tester', token: 'token' });
      }, callMs);
      clusters.push(cluster);
      return cluster;
    },
    async close() {
      await Promise.all(clusters.map((cluster) => cluster.close()));
      for (const store of Object.values(stores)) store.close();
      if (server.listening) await goAway();
    },
  };
}

function parse({ method, url }: IncomingMessage) {
  const { pathname, searchParams: search } = new URL(url ?? '/', 'http://api');
  const [, kind = '', name = ''] = /\/namespaces\/[^/]+\/(pods|leases)(?:\/([^/]+))?$/.exec(pathname) ?? [];
  const of = { GET: name ? 'read' : 'list', POST: 'create', PUT: 'replace', PATCH: 'patch', DELETE: 'delete' };
  const verb = search.get('watch') === 'true' ? 'watch' : of[method as keyof typeof of];
  return { asked: `${verb} ${kind}` as Asked, kind: kind as 'pods' | 'leases', name, search };
}

function answerTo(store: Store, asked: Asked, name: string, body: unknown, search: URLSearchParams, graceMs: number) {
  switch (asked.split(' ')[0] as Verb) {
    case 'list': {
      const items = store.list(search.get('labelSelector') ?? undefined);
      return { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: String(store.version()) }, items };
    }
    case 'create':
      return store.create(body as Partial<Stored>);
    case 'replace':
      return store.replace(name, body as Partial<Stored>);
    case 'patch':
      return store.patch(name, body);
    case 'delete': {
      const now = search.get('gracePeriodSeconds') === '0';
      return store.delete(name, now ? 0 : graceMs, (body as { preconditions?: Preconditions }).preconditions);
    }
    default:
      return store.read(name);
  }
}

function outcomeOf(act: () => unknown): { status: number; text: string } {
  try {
    return { status: 200, text: JSON.stringify(act()) };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { code, reason, message } = error;
    const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
    return { status: code, text: JSON.stringify(body) };
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
}
