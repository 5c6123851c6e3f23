/** Publishes a message with a key that nobody is bound to, and prints what the publisher is told. */
import { connect } from 'amqp-connection-manager';
import type { ConfirmChannel } from 'amqplib';

const connection = connect([process.env['AMQP_URL'] ?? 'amqp://127.0.0.1']);
let returned: string | undefined;
const channel = connection.createChannel({
  // The wrapper has no such event, so the channel below it is asked, after each connection.
  setup: (model: ConfirmChannel) => {
    model.on('return', ({ fields }: { fields: { replyText: string } }) => {
      returned = fields.replyText;
    });
    return Promise.resolve();
  },
});
await channel.publish('mail', 'mail.unknown', Buffer.from('{}'), { mandatory: true }).then(
  () => {
    console.log(
      returned === undefined
        ? 'silent'
        : `told: an event ${returned} of the channel below, while the publish itself succeeds`,
    );
  },
  (error: unknown) => {
    console.log(`told: an error, ${String(error)}`);
  },
);
process.exit(0);
