/** A strict TypeScript program over every entry point of the packages. It is compiled and never run. */
import { type Handler, type Job, JobWorker, type JobWorkerOptions } from '@fit/jobs';
import { connectStore, openJobStores } from '@fit/jobs/store';
import { declareTopology, type Outcome, planTopology, TopologyError } from '@fit/topology';
import { type Delivery, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { ManagementApi } from '@fit/topology/management';
import { QueueWorker, type Task } from '@fit/topology/work';
import { planFor } from '@fit/topology-cli/apply';
import { renderSections } from '@fit/topology-cli/drawing';

const declaration = declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s', '30s'] } },
});
// @ts-expect-error a tier without a unit is no duration.
declareTopology({ exchange: 'mail', kinds: { send: { key: 'a', queue: 'b', tiers: ['5'] } } });

const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
export const text: string = renderSections('', plan);
export const queues: readonly string[] = planFor(declaration, '4.3.6').queues.map(
  ({ name }) => name,
);
export const api = new ManagementApi('http://127.0.0.1:15672', '/');

const broker = { amqpUrl: 'amqp://127.0.0.1', managementUrl: undefined };
const publisher = await Publisher.open({
  url: broker.amqpUrl,
  label: 'strict',
  prepare: async (model) => {
    await assertTopology(model, declaration, broker);
  },
});
const result = await publisher.publish({
  exchange: 'mail',
  key: 'mail.send',
  id: '1',
  body: Buffer.from('{}'),
});
export const isConfirmed: boolean = result === 'confirmed';

export const run = ({ message, attempt }: Task<Buffer>): Outcome =>
  attempt.isLast
    ? { type: 'reject', error: new TypeError(message.toString()) }
    : { type: 'done', effect: undefined };
await QueueWorker.open({ ...broker, declaration, kind: 'send', run });
export const read = ({ body }: Delivery): string => body.toString();
export const isRefused = (error: unknown): boolean =>
  error instanceof TopologyError && error.code === 'BROKER_REFUSED';

const { database } = connectStore('mongodb://127.0.0.1');
export const { jobs } = await openJobStores(database);
export const greet: Pick<Handler<{ name: string }, string>, 'run' | 'store'> = {
  run: ({ payload }: Job<{ name: string }>) => ({ type: 'done', effect: payload.name }),
  store: async () => undefined,
};
export const open = (options: JobWorkerOptions): Promise<JobWorker> => JobWorker.open(options);
