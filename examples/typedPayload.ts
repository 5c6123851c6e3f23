/** A schema types the body at both ends and is checked at both ends: what it refuses is never sent. */
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  PublishError,
} from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'shop',
  messages: {
    order: z.object({ sku: z.string(), count: z.number().int().default(1) }),
  },
  queues: { orders: { on: ['order'], retry: { delays: ['1s'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');
const publisher = await createPublisher({ connection, topology });

await publisher.publish('order', { sku: 'rower' });
// @ts-expect-error: the compiler refuses it too; a caller in JavaScript has the check alone
const refused = await publisher.tryPublish('order', { sku: 7 });
if (refused.error instanceof PublishError) console.log(refused.error.code, refused.error.message);

await createWorker({
  connection,
  topology,
  queue: 'orders',
  handler: ({ body }) => {
    console.log(`${body.count} of ${body.sku.toUpperCase()}`);
  },
});
