/** A message that ends its process, each time: after more crashes than `crashLimit` it is dead, and its neighbours are done. */
import { createConnection, createPublisher, createWorker, defineTopology } from '@fit/topology';
import { z } from 'zod';

const topology = defineTopology({
  exchange: 'images',
  messages: { shrink: z.object({ file: z.string() }) },
  queues: { images: { on: ['shrink'], retry: { delays: ['100ms'] }, crashLimit: 2 } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://localhost');

if (process.argv[2] === 'publish') {
  const publisher = await createPublisher({ connection, topology });
  for (const file of ['a.png', 'poison.png', 'b.png']) await publisher.publish('shrink', { file });
  await connection.close();
} else {
  await createWorker({
    connection,
    topology,
    queue: 'images',
    handler: ({ body }) => {
      if (body.file === 'poison.png') process.kill(process.pid, 'SIGKILL');
      console.log(`shrunk ${body.file}`);
    },
  });
  console.log('ready');
}
