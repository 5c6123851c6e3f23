/** A message of a higher priority passes those that wait. Three levels need RabbitMQ 4.3, two 4.0. */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const print = defineTopology({
  exchange: 'print',
  messages: { page: z.string() },
  queues: {
    printer: {
      on: ['page'],
      retry: { delays: ['100ms'] },
      priorities: ['low', 'normal', 'high'],
    },
  },
});

const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');
const publisher = await createPublisher({ connection, topology: print });
await publisher.publish('page', 'report', { priority: 'low' });
for (const page of ['page 1', 'page 2', 'page 3']) await publisher.publish('page', page);
await publisher.publish('page', 'ticket', { priority: 'high' });

await createWorker({
  connection,
  topology: print,
  queue: 'printer',
  concurrency: 1,
  handler: ({ body }) => {
    console.log(body);
  },
});
