/** A CommonJS program that requires the packages, against a broker. It prints what its handler got. */
const {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
} = require('@fit/topology');
const { z } = require('zod');

const mail = defineTopology({
  exchange: 'mail',
  messages: { send: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['send'], retry: { delays: ['100ms'] } } },
});

async function main() {
  const rabbit = await createConnection(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
  await createWorker({
    connection: rabbit,
    topology: mail,
    queue: 'outbox',
    handler: ({ body, attempt }) => {
      if (attempt.number === 1) throw new Error('busy');
      console.log(`attempt ${attempt.number} for ${body.to}`);
      void rabbit.close({ deadline: '5s' });
    },
  });
  const publisher = await createPublisher({ connection: rabbit, topology: mail });
  await publisher.publish('send', { to: 'ann' });
}
main();
