/** Some errors are worth no retry: `onError` sends them to the dead-letter queue at once, by class. */
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  reject,
} from '@fit/topology';
import { z } from 'zod';

class NoSuchAddress extends Error {}

const topology = defineTopology({
  exchange: 'mail',
  messages: { send: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['send'], retry: { delays: ['100ms', '1s'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');

await createWorker({
  connection,
  topology,
  queue: 'outbox',
  handler: ({ body, attempt }) => {
    console.log(`attempt ${attempt.number} to ${body.to}`);
    if (body.to === 'nobody') throw new NoSuchAddress('no such address');
    if (body.to === 'bob' && attempt.number < 3) throw new Error('mailbox busy');
  },
  onError: (error) => (error instanceof NoSuchAddress ? reject(error) : undefined),
});
const publisher = await createPublisher({ connection, topology });
for (const to of ['ann', 'bob', 'nobody']) await publisher.publish('send', { to });
