/** Goal: messages that would keep the schema check busy are dead-lettered at once, and real jobs are worked on. Method: a real broker, database and worker. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { EndCounter, JobWorker, newJob } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { eventually, testBroker } from '@fit/stack/testing';
import { createConnection, deadLetterQueue } from '@fit/topology';
import { Inspector, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { encodeJob } from '../../../jobs/src/record/jobMessage.ts';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { createWodHandler } from '../../src/handlers/createWodHandler.ts';
import { WodStore } from '../../src/store/wodStore.ts';

const HOSTILE_COUNT = 20;
const date = '2026-12-01';

async function open(t: TestContext) {
  const closers: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const broker = await testBroker({ after: (close) => closers.push(close) });
  const store = await testStore({ after: (close) => closers.push(close) });
  const declaration = fitTopology({ profile: 'default' });
  const refusals: string[] = [];
  const publisher = await Publisher.open({
    url: broker.amqpUrl,
    label: 'test publishes',
    prepare: async (model) => {
      await assertTopology(model, declaration, broker);
    },
  });
  closers.push(() => publisher.close());
  const inspector = await Inspector.open({ url: broker.amqpUrl, label: 'test inspects' });
  closers.push(() => inspector.close());
  const wods = new WodStore(store.database);
  const endCounter = new EndCounter({
    runs: store.runs,
    countingRuns: countingRunStore(store.database, store),
  });
  closers.push(() => endCounter.close());
  const { amqpUrl: url, managementUrl } = broker;
  const connection = await createConnection({ url, managementUrl, logger: false });
  closers.push(async () => {
    await connection.close({ deadline: 0 });
  });
  const worker = await JobWorker.open({
    connection,
    declaration,
    kind: declaration.kind.createWod,
    handlers: new Map([['createWod', createWodHandler({ wods, failureRate: () => 0 })]]),
    stores: store,
    endCounter,
    prefetchCount: 1_000,
    concurrency: 10,
    deadlineMs: 30_000,
    onEvent: (event) => {
      if (event.type === 'refused') refusals.push(event.reason);
    },
  });
  closers.push(() => worker.close(2_000));
  return { declaration, store, publisher, inspector, refusals, wods };
}

test('20 messages with 16,200 equal exclusions are dead-lettered as malformed before their schema is checked', async (t) => {
  const { declaration, store, publisher, inspector, refusals, wods } = await open(t);
  const payload = { userId: 'eve', date, level: 'rx', equipment: [] };
  const exclusions = Array.from({ length: 16_200 }, () => 'a');
  const body = Buffer.from(
    JSON.stringify({
      version: 1,
      id: `createWod:eve:${date}`,
      kind: 'createWod',
      generation: 1,
      payload: { ...payload, exclusions },
    }),
  );
  assert.ok(body.byteLength > 64_800 && body.byteLength <= 65_536, `${body.byteLength} bytes`);
  const { exchange } = declaration;
  const { key } = declaration.kind.createWod;
  for (let sent = 0; sent < HOSTILE_COUNT; sent += 1)
    assert.equal(
      await publisher.publish({ exchange, key, body, id: `hostile-${sent}`, headers: {} }),
      'confirmed',
    );
  const requested = {
    kind: 'createWod',
    key: `ann:${date}`,
    payload: { ...payload, userId: 'ann', exclusions: [] },
  };
  const job = newJob(requested, { runId: 'run', batch: '', now: new Date() });
  await store.jobs.insert([job]);
  const message = { exchange, key, body: encodeJob(job), id: job._id, headers: {} };
  assert.equal(await publisher.publish(message), 'confirmed');
  await eventually(async () => (await wods.find('ann', date)) !== undefined, {
    describe: () => `no workout; refused: ${refusals.join('; ')}`,
  });
  await eventually(
    async () =>
      (await inspector.depthOf(deadLetterQueue(declaration.kind.createWod))).readyCount ===
      HOSTILE_COUNT,
    { describe: () => `refused: ${refusals.join('; ')}` },
  );
  assert.deepEqual(
    refusals,
    Array.from({ length: HOSTILE_COUNT }, () => 'the body has more than 4000 elements'),
  );
});
