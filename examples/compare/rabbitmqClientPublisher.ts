/** Publishes a message with a key that nobody is bound to, and prints what the publisher is told. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from 'rabbitmq-client';

const rabbit = new Connection(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
let returned: string | undefined;
const publisher = rabbit.createPublisher({ confirm: true });
// Its option onReturn exists in the types alone (5.0.8); this event is the one that its documentation names.
publisher.on('basic.return', ({ replyText }) => {
  returned = replyText;
});
// The event comes after the end of the publish.
const isReturned = once(publisher, 'basic.return');
const envelope = { exchange: 'mail', routingKey: 'mail.unknown', mandatory: true };
await publisher.send(envelope, {}).then(
  async () => {
    await Promise.race([isReturned, delay(1_000)]);
    console.log(
      returned === undefined
        ? 'silent'
        : `told: an event ${returned}, while the publish itself succeeds`,
    );
  },
  (error: unknown) => {
    console.log(`told: an error, ${String(error)}`);
  },
);
process.exit(0);
