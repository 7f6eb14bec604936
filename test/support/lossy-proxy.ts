/** Stands between a client and a server, and loses connections when it is told to. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LossyProxy {
  url: string;
  /** Cuts every connection, and refuses new ones for a while. */
  lose(ms: number): void;
  /** Connections so far. */
  connections(): number;
  close(): void;
}

export async function startLossyProxy(target: string): Promise<LossyProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let refusing = false;
  let count = 0;
  const server = createServer((socket) => {
    if (refusing) return socket.destroy();
    count++;
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const lose = (ms: number) => {
    refusing = true;
    for (const socket of sockets) socket.destroy();
    setTimeout(() => {
      refusing = false;
    }, ms);
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lose,
    connections: () => count,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
