import { Connection, ConsumerStatus } from 'rabbitmq-client';
import { mail, NoSuchAddress, send } from './work.ts';

const WAITS_MS = [100, 500, 2_500];
const safe = {
  'x-queue-type': 'quorum',
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
  'x-dead-letter-exchange': '',
} as const;

const rabbit = new Connection(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
rabbit.on('error', (error) => {
  console.error(error);
});
await rabbit.queueDeclare({
  queue: 'outbox.dead',
  durable: true,
  arguments: { 'x-queue-type': 'quorum' },
});
for (const waitMs of WAITS_MS)
  await rabbit.queueDeclare({
    queue: `outbox.wait.${waitMs}`,
    durable: true,
    arguments: {
      ...safe,
      'x-message-ttl': waitMs,
      'x-dead-letter-routing-key': 'outbox',
    },
  });
const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 3 });
const consumer = rabbit.createConsumer(
  {
    queue: 'outbox',
    queueOptions: {
      durable: true,
      arguments: {
        ...safe,
        'x-delivery-limit': 5,
        'x-dead-letter-routing-key': 'outbox.dead',
      },
    },
    exchanges: [{ exchange: 'mail', type: 'direct', durable: true }],
    queueBindings: [{ exchange: 'mail', routingKey: 'mail.send' }],
    qos: { prefetchCount: 10 },
    concurrency: 10,
  },
  async (message) => {
    const body = mail.safeParse(message.body);
    if (!body.success) return ConsumerStatus.DROP;
    const failures = Number(message.headers?.['failures'] ?? 0);
    try {
      await send(body.data, failures + 1);
      return ConsumerStatus.ACK;
    } catch (error) {
      const waitMs = WAITS_MS[failures];
      if (error instanceof NoSuchAddress || waitMs === undefined) return ConsumerStatus.DROP;
      await publisher.send(
        {
          routingKey: `outbox.wait.${waitMs}`,
          durable: true,
          messageId: message.messageId ?? '',
          headers: { failures: failures + 1, error: String(error) },
        },
        message.body,
      );
      return ConsumerStatus.ACK;
    }
  },
);
consumer.on('error', (error) => {
  console.error(error);
});
process.once('SIGTERM', () => {
  void (async () => {
    await consumer.close();
    await publisher.close();
    await rabbit.close();
  })();
});
