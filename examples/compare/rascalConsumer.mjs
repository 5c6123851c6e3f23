import rascal from 'rascal';
import { mail, NoSuchAddress, send } from './work.ts';

const WAITS_MS = [100, 500, 2_500];
const safe = {
  'x-queue-type': 'quorum',
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
};
const named = (entry) => Object.fromEntries(WAITS_MS.map(entry));
const retry = [
  ...WAITS_MS.map((waitMs, index) => ({
    strategy: 'forward',
    publication: `wait_${waitMs}`,
    attempts: index + 1,
  })),
  { strategy: 'nack' },
];
const deadLetter = [{ strategy: 'republish', immediateNack: true }, { strategy: 'nack' }];

const broker = await rascal.BrokerAsPromised.create(
  rascal.withDefaultConfig({
    vhosts: {
      mail: {
        connection: { url: process.env.AMQP_URL ?? 'amqp://127.0.0.1' },
        exchanges: { mail: { type: 'direct' }, wait: { type: 'direct' }, retry: {} },
        queues: {
          outbox: {
            options: {
              arguments: {
                ...safe,
                'x-delivery-limit': 5,
                'x-dead-letter-exchange': '',
                'x-dead-letter-routing-key': 'outbox.dead',
              },
            },
          },
          'outbox.dead': { options: { arguments: { 'x-queue-type': 'quorum' } } },
          ...named((waitMs) => [
            `outbox.wait.${waitMs}`,
            {
              options: {
                arguments: {
                  ...safe,
                  'x-message-ttl': waitMs,
                  'x-dead-letter-exchange': 'retry',
                },
              },
            },
          ]),
        },
        bindings: {
          'mail[mail.send] -> outbox': {},
          'retry[outbox.#] -> outbox': {},
          ...named((waitMs) => [`wait[wait.${waitMs}] -> outbox.wait.${waitMs}`, {}]),
        },
        publications: named((waitMs) => [
          `wait_${waitMs}`,
          { exchange: 'wait', options: { CC: [`wait.${waitMs}`] } },
        ]),
        subscriptions: { outbox: { queue: 'outbox', prefetch: 10 } },
      },
    },
  }),
);
broker.on('error', console.error);
const subscription = await broker.subscribe('outbox');
subscription
  .on('message', (message, content, ackOrNack) => {
    const body = mail.safeParse(content);
    if (!body.success) {
      ackOrNack(body.error, deadLetter);
      return;
    }
    const forwarded = message.properties.headers.rascal.recovery?.outbox?.forwarded ?? 0;
    send(body.data, forwarded + 1).then(
      () => ackOrNack(),
      (error) => ackOrNack(error, error instanceof NoSuchAddress ? deadLetter : retry),
    );
  })
  .on('invalid_content', (error, _message, ackOrNack) => ackOrNack(error, deadLetter))
  .on('error', console.error);
process.once('SIGTERM', () => broker.shutdown());
