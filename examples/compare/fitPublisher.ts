/** Publishes a message by a key that nobody is bound to, and prints what the publisher is told. */
import { createConnection, createPublisher, defineTopology } from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'mail',
  messages: { 'mail.unknown': z.object({}) },
  queues: { unknown: { on: ['mail.unknown'], retry: { delays: ['100ms'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
// Nothing is declared, so the queue of this topology is missing on the broker.
const publisher = await createPublisher({ connection, topology, assert: 'never' });
const { error } = await publisher.tryPublish('mail.unknown', {});
console.log(error === undefined ? 'silent' : `told: the publish fails with ${error.code}`);
process.exit(0);
