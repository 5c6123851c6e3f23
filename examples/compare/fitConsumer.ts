import { declareTopology } from '@fit/topology';
import { QueueWorker } from '@fit/topology/work';
import { type Mail, mail, send } from './work.ts';

const worker = await QueueWorker.open<Mail>({
  amqpUrl: process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
  managementUrl: undefined,
  declaration: declareTopology({
    exchange: 'mail',
    kinds: {
      send: {
        key: 'mail.send',
        queue: 'outbox',
        tiers: ['100ms', '500ms', '2500ms'],
        nonRetryable: ['NoSuchAddress'],
      },
    },
  }),
  kind: 'send',
  prefetchCount: 10,
  circuitBreaker: false,
  read: ({ body }) => mail.parse(JSON.parse(body.toString())),
  run: async ({ message, attempt }) => {
    await send(message, attempt.number);
    return { type: 'done' };
  },
});
process.once('SIGTERM', () => void worker.close(20_000));
