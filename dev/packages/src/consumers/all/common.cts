/** A CommonJS program in TypeScript, which requires the packages. It is compiled and never run. */
import topology = require('@fit/topology');
import jobs = require('@fit/jobs');
import typebox = require('@fit/topology/typebox');
import Type = require('typebox');

const mail = topology.defineTopology({
  exchange: 'mail',
  messages: { send: typebox.fromTypeBox(Type.Object({ to: Type.String() })) },
  queues: { outbox: { on: ['send'], retry: { delays: ['5s'] } } },
});
const open = (connection: string): Promise<topology.Worker> =>
  topology.createWorker({
    connection,
    topology: mail,
    queue: 'outbox',
    handler: ({ body }) => {
      console.log(body.to);
    },
  });
const limit: number = jobs.BATCH_LIMIT;
export = { open, limit };
