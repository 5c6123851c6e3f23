/** Every attempt, dead letter and publish is an event: count them with the library of your choice. */
import { createServer } from 'node:http';
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { Counter, register } from 'prom-client';
import { z } from 'zod';

const attempts = new Counter({ name: 'attempts_total', help: 'Attempts', labelNames: ['outcome'] });
const dead = new Counter({ name: 'dead_total', help: 'Dead letters', labelNames: ['cause'] });

const topology = defineTopology({
  exchange: 'jobs',
  messages: { work: z.object({ fails: z.boolean() }) },
  queues: { work: { on: ['work'], retry: { delays: ['100ms'] } } },
});
const connection = await createConnection({
  url: process.env['AMQP_URL'] ?? 'amqp://localhost',
  hooks: {
    onEvent: (event) => {
      if (event.type === 'attempt') attempts.inc({ outcome: event.outcome });
      if (event.type === 'deadLettered') dead.inc({ cause: event.cause });
    },
  },
});
await createWorker({
  connection,
  topology,
  queue: 'work',
  handler: ({ body }) => {
    if (body.fails) throw new Error('fails');
  },
});
const publisher = await createPublisher({ connection, topology });
for (const fails of [false, true]) await publisher.publish('work', { fails });
const server = createServer((_, response) => {
  void register.metrics().then((page) => response.end(page));
}).listen(Number(process.env['PORT'] ?? 9_100));
server.once('listening', () => {
  console.log('metrics at', server.address());
});
