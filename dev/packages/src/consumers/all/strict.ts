/** A strict TypeScript program over every entry point of the packages. It is compiled and never run. */
import { type Handler, type Job, JobWorker, type JobWorkerOptions, openJobs } from '@fit/jobs';
import { connectStore, openJobStores } from '@fit/jobs/store';
import {
  type AttemptInfo,
  type Connection,
  createConnection,
  createPublisher,
  createWorker,
  declareTopology,
  defineTopology,
  type Hooks,
  type Outcome,
  PublishError,
  planTopology,
  type RetryPolicy,
  reject,
  retry,
  TopologyError,
  type Worker,
} from '@fit/topology';
import { type Delivery, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { ManagementApi } from '@fit/topology/management';
import { openTelemetryHooks } from '@fit/topology/otel';
import { simulate } from '@fit/topology/testing';
import { fromTypeBox } from '@fit/topology/typebox';
import { QueueWorker, type Task } from '@fit/topology/work';
import { planFor } from '@fit/topology-cli/apply';
import { renderSections } from '@fit/topology-cli/drawing';
import Type from 'typebox';
import { z } from 'zod';

const shop = defineTopology({
  exchange: 'shop',
  messages: {
    'order.paid': z.object({ id: z.string(), euros: z.number().default(0) }),
    'order.sent': fromTypeBox(Type.Object({ parcel: Type.String() })),
  },
  queues: {
    mails: { on: ['order.*'], retry: { immediate: 1, delays: ['5s', '30s'] } },
    invoices: { on: ['order.paid'], retry: { delays: ['1m'] }, deadline: '10s' },
  },
  delays: ['1h'],
});
const messages = { ping: z.object({}) };
const retryOnce = { delays: ['1s'] } as const;
// @ts-expect-error a queue on a message that is not defined.
defineTopology({ exchange: 'a', messages, queues: { b: { on: ['pong'], retry: retryOnce } } });
// @ts-expect-error a delay without a unit is no duration.
const withoutUnit: RetryPolicy = { delays: ['5'] };
defineTopology({ exchange: 'a', messages, queues: { b: { on: ['ping'], retry: withoutUnit } } });

export const hooks: Hooks = openTelemetryHooks(shop);
const rabbit: Connection = await createConnection({ url: ['amqp://one', 'amqp://two'], hooks });
export const worker: Worker = await createWorker({
  connection: rabbit,
  topology: shop,
  queue: 'mails',
  handler: (message) => {
    if (message.type === 'order.sent') return reject(new Error(message.body.parcel));
    const euros: number = message.body.euros;
    return euros > 1_000 ? retry(new Error('later'), { after: '30s' }) : undefined;
  },
  onError: (error, attempt: AttemptInfo) =>
    error instanceof RangeError && attempt.isLast ? reject(error) : undefined,
});
await createWorker({
  connection: rabbit,
  topology: shop,
  queue: 'invoices',
  handler: ({ type, body }) => {
    const name: 'order.paid' = type;
    // @ts-expect-error of another message.
    console.log(name, body.parcel);
  },
});
const publisher = await createPublisher({ connection: rabbit, topology: shop });
export const sent: { readonly id: string } = await publisher.publish(
  'order.paid',
  { id: 'a1' },
  { delay: '1h' },
);
// @ts-expect-error a delay that is not defined.
await publisher.publish('order.paid', { id: 'a1' }, { delay: '2h' });
// @ts-expect-error a body of another type.
await publisher.publish('order.paid', { id: 1 });
const report = await publisher.tryPublish('order.sent', { parcel: 'p' });
export const isKnown: boolean = report.error instanceof PublishError && report.error.mayHaveArrived;
await rabbit.close({ deadline: '20s' });

const simulation = simulate(shop, { handlers: { invoices: { handler: () => undefined } } });
await simulation.publish('order.paid', { id: 'a1' });
await simulation.advance('1m');
export const causes: readonly (string | undefined)[] = simulation
  .deadLetters('invoices')
  .map(({ cause }) => cause);

const letters = await openJobs({
  database: 'mongodb://127.0.0.1/letters',
  connection: 'amqp://127.0.0.1',
  kinds: {
    greet: {
      payload: z.object({ name: z.string() }),
      result: z.object({ text: z.string() }),
      retry: { delays: ['1s'] },
    },
  },
});
await letters.work('greet', ({ payload }) => ({ text: payload.name }));
// @ts-expect-error a result of another type.
await letters.work('greet', ({ payload }) => ({ text: payload.name.length }));
export const { id } = await letters.enqueue('greet', { name: 'ann' }, { key: 'ann', delay: '1s' });

// The parts beneath.
const declaration = declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s', '30s'] } },
});
const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
export const text: string = renderSections('', plan);
export const queues: readonly string[] = planFor(declaration, '4.3.6').queues.map(
  ({ name }) => name,
);
export const api = new ManagementApi('http://127.0.0.1:15672', '/');
const broker = { amqpUrl: 'amqp://127.0.0.1', managementUrl: undefined };
const channel = await Publisher.open({
  url: broker.amqpUrl,
  label: 'strict',
  prepare: async (model) => {
    await assertTopology(model, declaration, broker);
  },
});
export const result = await channel.publish({
  exchange: 'mail',
  key: 'mail.send',
  id: '1',
  body: Buffer.from('{}'),
});
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
