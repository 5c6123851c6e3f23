/** A TCP proxy before the broker whose connections can be reset, as a network does it. */
import { connect, createServer, type Socket } from 'node:net';

export interface CuttableProxy {
  /** The broker's URL by way of the proxy. */
  readonly url: string;
  /** Resets every connection; new ones are accepted at once. @returns how many connections there were. */
  cut(): number;
  close(): Promise<void>;
}

export async function openCuttableProxy(brokerUrl: string): Promise<CuttableProxy> {
  const target = new URL(brokerUrl);
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(Number(target.port), target.hostname);
    client.setNoDelay(true);
    broker.setNoDelay(true);
    clients.add(client);
    for (const [socket, peer] of [
      [client, broker],
      [broker, client],
    ] as const) {
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        clients.delete(client);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(brokerUrl);
  url.host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const cut = () => {
    const count = clients.size;
    for (const client of clients) client.destroy();
    return count;
  };
  return {
    url: url.href,
    cut,
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
