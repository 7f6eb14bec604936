/** A TCP proxy that tests can hold: what one side sends then waits, as on a network that loses it for a while. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface NetworkProxy {
  /** host:port */
  address: string;
  /** From now on what clients send waits; what the server sends still arrives. */
  hold(): void;
  /** Sends on what waited (of clients that still live) and lets everything pass again. */
  release(): void;
  close(): Promise<void>;
}

/** @param target - host:port, or the path of a Unix socket. @param listenOn - address of this machine to be reached at. */
export async function startProxy(target: string | { path: string }, listenOn = '127.0.0.1'): Promise<NetworkProxy> {
  const [host, port] = typeof target === 'string' ? target.split(':') : [];
  const dial = () => (typeof target === 'string' ? connect(Number(port), host) : connect(target.path));
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let held = false;
  const server = createServer((client) => {
    const upstream = dial();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        clients.delete(client);
        client.destroy();
        upstream.destroy();
      });
    }
    clients.add(client);
    client.on('data', (chunk) => {
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => !held && client.resume());
      }
    });
    client.once('end', () => upstream.end());
    upstream.pipe(client);
    if (held) client.pause();
  });
  server.listen(0, listenOn);
  await once(server, 'listening');
  return {
    address: `${listenOn}:${(server.address() as AddressInfo).port}`,
    hold() {
      held = true;
      for (const client of clients) client.pause();
    },
    release() {
      held = false;
      for (const client of clients) client.resume();
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
