/** A load balancer as simple as they come: every new connection goes to the next backend that takes it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  url: string;
  /** Connections that each backend has got, by port. */
  readonly taken: Readonly<Record<number, number>>;
  close(): Promise<void>;
}

export async function startBalancer(ports: number[]): Promise<Balancer> {
  const taken: Record<number, number> = {};
  const open = new Set<Socket>();
  let turn = 0;

  function forward(client: Socket, tries = ports.length): void {
    const port = ports[turn++ % ports.length];
    if (port === undefined || tries === 0) return void client.destroy();
    const backend = connect(port, '127.0.0.1');
    open.add(backend);
    backend.once('close', () => open.delete(backend));
    backend.once('connect', () => {
      taken[port] = (taken[port] ?? 0) + 1;
      client.pipe(backend).pipe(client);
      backend.once('close', () => client.destroy());
      client.once('close', () => backend.destroy());
    });
    let connected = false;
    backend.once('connect', () => {
      connected = true;
    });
    backend.once('error', () => {
      if (connected) client.destroy();
      else forward(client, tries - 1);
    });
  }

  const server = createServer((client) => {
    open.add(client);
    client.once('close', () => open.delete(client));
    client.on('error', () => undefined);
    forward(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
