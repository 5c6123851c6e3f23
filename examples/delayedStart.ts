/** A first delivery that waits: the message leaves the publisher now and reaches the worker after its delay. */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'reminders',
  messages: { remind: z.object({ text: z.string() }) },
  queues: { reminders: { on: ['remind'], retry: { delays: ['1s'] } } },
  delays: ['1s', '1h'],
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');
let publishedAtMs = 0;

await createWorker({
  connection,
  topology,
  queue: 'reminders',
  handler: ({ body }) => {
    const seconds = Math.floor((Date.now() - publishedAtMs) / 1_000);
    console.log(`${body.text}: after ${seconds > 0 ? 'a second or more' : 'less than a second'}`);
  },
});
const publisher = await createPublisher({ connection, topology });
publishedAtMs = Date.now();
await publisher.publish('remind', { text: 'drink water' }, { delay: '1s' });
await publisher.publish('remind', { text: 'stand up' });
