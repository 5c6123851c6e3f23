/** An urgent message passes those that wait, also on its way back from a retry. It takes the parts below `createWorker`. */
import { declareTopology } from '@fit/topology';
import { Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { QueueWorker } from '@fit/topology/work';

const amqpUrl = process.env['AMQP_URL'] ?? 'amqp://localhost';
const broker = { amqpUrl, managementUrl: undefined };
const declaration = declareTopology({
  exchange: 'print',
  kinds: {
    page: { key: 'print.page', queue: 'printer', tiers: ['100ms'], hasPriorities: true },
  },
});

const publisher = await Publisher.open({
  url: amqpUrl,
  label: 'printer',
  prepare: (model) => assertTopology(model, declaration, broker),
});
for (const text of ['page 1', 'page 2', 'page 3', 'page 4', 'ticket'])
  await publisher.publish({
    exchange: 'print',
    key: 'print.page',
    id: text,
    body: Buffer.from(text),
    isUrgent: text === 'ticket',
  });
await QueueWorker.open({
  ...broker,
  declaration,
  kind: 'page',
  prefetchCount: 1,
  run: ({ message }) => {
    console.log(message.toString());
    return { type: 'done' };
  },
});
