/** Publishes a message with a key that nobody is bound to, and prints what the publisher is told. */
import { Publisher } from '@fit/topology/amqp';

const publisher = await Publisher.open({
  url: process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
  label: 'publisher',
  prepare: () => Promise.resolve(),
});
const result = await publisher.publish({
  exchange: 'mail',
  key: 'mail.unknown',
  id: 'unknown',
  body: Buffer.from('{}'),
});
console.log(result === 'confirmed' ? 'silent' : `told: the result is ${result}`);
process.exit(0);
