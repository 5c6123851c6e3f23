/** A server that answers 429 says when to come back: the message waits at least that long, and no worker is blocked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  retry,
} from '@fit/topology';
import { z } from 'zod';

let requestCount = 0;
const server = createServer((_, response) => {
  requestCount += 1;
  if (requestCount > 1) response.end('ok');
  else response.writeHead(429, { 'retry-after': '1' }).end();
}).listen(0);
const url = `http://localhost:${(server.address() as AddressInfo).port}`;

const topology = defineTopology({
  exchange: 'hooks',
  messages: { call: z.object({ url: z.url() }) },
  queues: { hooks: { on: ['call'], retry: { delays: ['100ms', '500ms', '2s'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');
await createWorker({
  connection,
  topology,
  queue: 'hooks',
  handler: async ({ body, attempt, signal }) => {
    const { status, headers } = await fetch(body.url, { signal });
    console.log(`attempt ${attempt.number}: ${status}`);
    if (status !== 429) return undefined;
    return retry('busy', { after: `${Number(headers.get('retry-after') ?? 1)}s` });
  },
});
const publisher = await createPublisher({ connection, topology });
await publisher.publish('call', { url });
