/** Publishes a message with a key that nobody is bound to, and prints what the publisher is told. */
import rascal from 'rascal';

const broker = await rascal.BrokerAsPromised.create(
  rascal.withDefaultConfig({
    vhosts: {
      mail: {
        connection: { url: process.env.AMQP_URL ?? 'amqp://127.0.0.1' },
        exchanges: { mail: { type: 'direct' } },
        publications: { mail: { exchange: 'mail' } },
      },
    },
  }),
);
broker.on('error', console.error);
const publication = await broker.publish('mail', {}, 'mail.unknown');
let isReturned = false;
publication
  .on('return', () => {
    isReturned = true;
  })
  .on('success', () => {
    console.log(
      isReturned ? 'told: an event return, beside the event success of the same publish' : 'silent',
    );
    process.exit(0);
  })
  .on('error', (error) => {
    console.log(`told: an error, ${error}`);
    process.exit(0);
  });
