/** A program of its own that accepts every connection and discards what it gets: what an attack costs without a target. */
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
