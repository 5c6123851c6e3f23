/**
 * A program that listens on COUNT free ports, accepts every connection and discards what it receives:
 * `connectionSink.ts COUNT`. An attack on it costs the machine the same as one on the services. Prints the ports as JSON.
 */
import { createServer } from 'node:net';

const servers = Array.from({ length: Number(process.argv[2]) }, () =>
  createServer((socket) => {
    socket.on('error', () => undefined).resume();
  }),
);
await Promise.all(
  servers.map(
    (server) =>
      new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      }),
  ),
);
const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
process.stdout.write(`${JSON.stringify(ports)}\n`);
