/** Another system in about 30 lines: each mail is sent once, tried again if the server is busy, dead-lettered if nothing helps. */
import { declareTopology } from '@fit/topology';
import { Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { QueueWorker } from '@fit/topology/work';

const amqpUrl = process.env['AMQP_URL'] ?? 'amqp://127.0.0.1';
const broker = { amqpUrl, managementUrl: process.env['AMQP_MANAGEMENT_URL'] };
const declaration = declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['100ms', '1s'] } },
});

const publisher = await Publisher.open({
  url: amqpUrl,
  label: 'shop',
  prepare: (model) => assertTopology(model, declaration, broker),
});
for (const id of ['to ann', 'to busy bob', 'to nobody'])
  console.log(
    id,
    await publisher.publish({ exchange: 'mail', key: 'mail.send', id, body: Buffer.from(id) }),
  );

await QueueWorker.open({
  ...broker,
  declaration,
  kind: 'send',
  run: ({ message, attempt }) => {
    const address = message.toString();
    console.log('attempt', attempt.number, address);
    if (address.includes('nobody')) return { type: 'reject', error: new Error('no such address') };
    if (address.includes('busy') && attempt.number < 3) throw new Error('try again later');
    return { type: 'done', effect: undefined };
  },
});
