/**
 * A program that owns @fit/jobs and nothing of FIT: three jobs go from a run through relay, broker and worker to their
 * records. It prints the ends of the run as JSON.
 */
import { compilePayload, EndCounter, endsOf, type Handler, JobWorker, Relay } from '@fit/jobs';
import { connectStore, countingRunStore, ensureIndexes, openJobStores } from '@fit/jobs/store';
import { declareTopology } from '@fit/topology';
import { Inspector, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { MongoClient } from 'mongodb';
import Type from 'typebox';

const amqpUrl = process.env['AMQP_URL'] ?? 'amqp://127.0.0.1';
const managementUrl = process.env['AMQP_MANAGEMENT_URL'];
const url = process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1';
const names = ['ann', 'bob', 'cleo'];
const runId = 'first';
const declaration = declareTopology({
  exchange: 'letters',
  kinds: { greet: { key: 'letter.greet', queue: 'greet', tiers: ['1s', '2s'] } },
});

const [kind] = declaration.kinds;
if (kind === undefined) throw new Error('no kind');

const connection = connectStore(url);
const stores = await openJobStores(connection.database);
await ensureIndexes(stores);
const publisher = await Publisher.open({
  url: amqpUrl,
  label: 'relay',
  prepare: (model) => assertTopology(model, declaration, { amqpUrl, managementUrl }),
});
const inspector = await Inspector.open({ url: amqpUrl, label: 'pace' });
const relay = new Relay({
  declaration,
  publisher,
  stores,
  source: {
    kindOf: () => 'greet',
    count: () => Promise.resolve(names.length),
    page: () =>
      Promise.resolve({
        jobs: names.map((name) => ({ kind: 'greet', key: name, payload: { name } })),
        last: names.at(-1) ?? '',
        isLast: true,
      }),
  },
  readyCount: async (queue) => (await inspector.depthOf(queue)).readyCount,
  onEvent: () => undefined,
});
const endCounter = new EndCounter({
  runs: stores.runs,
  countingRuns: countingRunStore(connection.database, stores),
});
const greeted: string[] = [];
const greet: Handler<{ name: string }, string> = {
  payload: compilePayload(Type.Object({ name: Type.String() })),
  run: ({ payload }) => ({ type: 'done', effect: payload.name }),
  store: async (effects) => {
    greeted.push(...effects);
  },
  findStored: () => Promise.resolve(new Set()),
};
const worker = await JobWorker.open({
  amqpUrl,
  managementUrl,
  declaration,
  kind,
  stores,
  endCounter,
  handlers: new Map([['greet', greet]]),
  prefetchCount: 10,
  concurrency: 2,
  deadlineMs: 5_000,
  onEvent: () => undefined,
  onSession: () => undefined,
});

const run = { _id: runId, request: {}, requestHash: '' };
relay.begin(await stores.runs.insertIfAbsent(run, relay.owner));
const doneCount = async (): Promise<number> => {
  const record = await stores.runs.find(runId);
  return record === undefined ? 0 : endsOf(record).done;
};
const deadline = Date.now() + 30_000;
while ((await doneCount()) < names.length && Date.now() < deadline)
  await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ done: await doneCount(), greeted: greeted.sort() }));

await worker.close(2_000);
await endCounter.close();
await relay.stop();
await Promise.all([publisher.close(), inspector.close()]);
stores.clock.stop();
await connection.close();
const client = new MongoClient(url);
await client.db().dropDatabase();
await client.close();
