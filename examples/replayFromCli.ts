/**
 * Dead letters come back by command: start it, see the message die, start it again with FIXED=1, then
 * `topology dlq replay --declaration examples/replayFromCli.ts` publishes it again with all its attempts.
 */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'invoices',
  messages: { print: z.object({ number: z.int() }) },
  queues: { invoices: { on: ['print'], retry: { delays: ['100ms'] } } },
});
export default topology;

// The command line imports this file for its topology, and must not start the worker.
if (process.argv[1] === import.meta.filename) {
  const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');
  await createWorker({
    connection,
    topology,
    queue: 'invoices',
    handler: ({ body, attempt }) => {
      console.log(`attempt ${attempt.number}`);
      if (process.env['FIXED'] !== '1') throw new RangeError('the template has no tax line');
      console.log(`printed ${body.number}`);
    },
  });
  const publisher = await createPublisher({ connection, topology });
  if (process.argv[2] === 'publish') await publisher.publish('print', { number: 7 });
  console.log('ready');
}
