import { createConnection, createWorker, defineTopology, reject } from '@fit/topology';
import { mail, NoSuchAddress, send } from './work.ts';

const topology = defineTopology({
  exchange: 'mail',
  messages: { 'mail.send': mail },
  queues: { outbox: { on: ['mail.send'], retry: { delays: ['100ms', '500ms', '2500ms'] } } },
});
const connection = await createConnection(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
await createWorker({
  connection,
  topology,
  queue: 'outbox',
  handler: ({ body, attempt }) => send(body, attempt.number),
  onError: (error) => (error instanceof NoSuchAddress ? reject(error) : undefined),
});
process.once('SIGTERM', () => void connection.close({ deadline: '20s' }));
