/** A message whose first two attempts fail: the broker itself brings it back after each wait. */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'hello',
  messages: { greet: z.object({ name: z.string() }) },
  queues: { greetings: { on: ['greet'], retry: { delays: ['100ms', '1s'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');

await createWorker({
  connection,
  topology,
  queue: 'greetings',
  handler: ({ body, attempt }) => {
    console.log(`attempt ${attempt.number} of ${attempt.of}`);
    if (!attempt.isLast) throw new Error('not yet');
    console.log(`hello, ${body.name}`);
  },
});
const publisher = await createPublisher({ connection, topology });
await publisher.publish('greet', { name: 'ann' });
process.once('SIGTERM', () => void connection.close({ deadline: '20s' }));
