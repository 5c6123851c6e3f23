/** Several kinds of message in one system: a queue each, one for both of them, and one event with two subscribers. */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const order = z.object({ id: z.string() });
const topology = defineTopology({
  exchange: 'orders',
  messages: { 'order.placed': order, 'order.paid': order },
  queues: {
    shipping: { on: ['order.paid'], retry: { delays: ['1s', '10s'] } },
    mail: { on: ['order.placed', 'order.paid'], retry: { delays: ['30s'] } },
    audit: { on: ['order.*'], retry: { delays: ['1s'] } },
  },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');

for (const queue of ['shipping', 'mail', 'audit'] as const)
  await createWorker({
    connection,
    topology,
    queue,
    handler: ({ type, body }) => {
      console.log(`${queue}: ${type} ${body.id}`);
    },
  });
const publisher = await createPublisher({ connection, topology });
await publisher.publish('order.placed', { id: 'a1' });
await publisher.publish('order.paid', { id: 'a1' });
