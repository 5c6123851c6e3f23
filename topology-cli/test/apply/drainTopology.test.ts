/**
 * Goal: drain deletes former wait queues that are empty, and never one that is not, even if it looks empty.
 * Method: real queues whose messages wait, await transfer, or are not counted yet; short timeouts, stops and kills.
 */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology, isAtLeast, spreadHeader } from '@fit/topology';
import { connect } from 'amqplib';
import { planFor } from '../../src/apply/applyTopology.ts';
import {
  type DrainOptions,
  type DrainReport,
  drainTopology,
} from '../../src/apply/drainTopology.ts';
import { ApplyEnvironment, Load, tiersOf } from './applyEnvironment.ts';

const BEFORE = tiersOf([100, 60_000]);
const AFTER = tiersOf([200]);
/** With the broker's real interval: ten seconds until what is there is counted, twelve until a queue counts as empty. */
const LONG_MS = 26_000;
/** Where what is looked at is not the count: it is there or not from the start. */
const QUICKLY = { countIntervalMs: 1_000 };
const OLD_QUEUES = ['one.wait.1.100ms', 'one.wait.2.1m'];

async function drain(
  live: ApplyEnvironment,
  change: Partial<DrainOptions> = {},
): Promise<DrainReport> {
  const admin = await live.admin();
  return await drainTopology({
    admin,
    api: live.api,
    plan: planFor(AFTER, admin.version),
    timeoutMs: LONG_MS,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...change,
  });
}

/** One message waits for a minute in the second old queue. */
async function openWaiting(t: TestContext): Promise<ApplyEnvironment> {
  const live = await ApplyEnvironment.open(t);
  await live.apply(BEFORE);
  const load = new Load(live);
  await load.open();
  await load.publish(1);
  await live.testTopology.expectReady('one.wait.2.1m', 1);
  await live.apply(AFTER);
  return live;
}

suite('drain', { concurrency: true }, () => {
  test('a former queue that is still bound is refused: apply first', async (t) => {
    const live = await ApplyEnvironment.open(t);
    await live.apply(BEFORE);
    await assert.rejects(drain(live), (error: { code: string; faults: { subject: string }[] }) => {
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      assert.deepEqual([...new Set(error.faults.map(({ subject }) => subject))], OLD_QUEUES);
      return true;
    });
    await live.testTopology.expectReady('one.wait.2.1m', 0);
  });

  test('the empty queue is deleted; the filled one stays with its return binding and is reported each second', async (t) => {
    const live = await openWaiting(t);
    const reported: { readonly elapsedMs: number; readonly longestWaitMs: number }[] = [];
    const startedAtMs = performance.now();
    const report = await drain(live, {
      onProgress: ({ longestWaitMs }) =>
        reported.push({ elapsedMs: performance.now() - startedAtMs, longestWaitMs }),
    });
    assert.deepEqual(report, {
      deletedQueues: ['one.wait.1.100ms'],
      deletedExchanges: [],
      unboundReturns: [],
      remaining: [{ name: 'one.wait.2.1m', messageCount: 1 }],
      end: 'timeout',
    });
    // Once a second, or as often as a loaded machine can.
    assert.ok(reported.length >= 5, `reported ${reported.length} times`);
    const waitsMs = reported.map(({ longestWaitMs }) => longestWaitMs);
    assert.deepEqual(
      waitsMs,
      waitsMs.toSorted((a, b) => b - a),
    );
    for (const { elapsedMs, longestWaitMs } of reported)
      assert.ok(longestWaitMs >= 60_000 - elapsedMs && longestWaitMs <= 60_000, `${longestWaitMs}`);
    assert.deepEqual(await live.drift(AFTER), ['QUEUE_OLD one.wait.2.1m']);
    await live.testTopology.expectReady('one.wait.2.1m', 1);
  });

  test('messages awaiting transfer keep their queue, although a passive declare counts none', async (t) => {
    const live = await ApplyEnvironment.open(t);
    await live.apply(tiersOf([3_000]));
    const model = await connect(live.testTopology.amqpUrl);
    live.testTopology.closeLater(() => model.close());
    const channel = await model.createChannel();
    const load = new Load(live);
    await load.open();
    await load.publish(3);
    await live.testTopology.expectReady('one.wait.1.3s', 3);
    await live.apply(AFTER);
    // Nobody takes what expires: at-least-once keeps it in its queue.
    await channel.deleteExchange('one.return');
    await live.testTopology.expectReady('one.wait.1.3s', 0);
    const report = await drain(live);
    assert.deepEqual(
      [report.end, report.deletedQueues, report.remaining],
      ['timeout', [], [{ name: 'one.wait.1.3s', messageCount: 3 }]],
    );
  });

  test('a stop ends drain between two polls; a former queue with a consumer stays', async (t) => {
    const live = await ApplyEnvironment.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    await live.testTopology.consumer(() => undefined, {
      prepare: () => Promise.resolve(),
      queue: 'one.wait.1.100ms',
    });
    const controller = new AbortController();
    const report = await drain(live, {
      ...QUICKLY,
      signal: controller.signal,
      timeoutMs: 40_000,
      onProgress: ({ queues }) => {
        if (queues.length === 1) controller.abort();
      },
    });
    assert.deepEqual(
      [report.end, report.deletedQueues, report.remaining.map(({ name }) => name)],
      ['stopped', ['one.wait.2.1m'], ['one.wait.1.100ms']],
    );
  });

  test('killed after each of its changes and run again: everything former is deleted', async (t) => {
    const live = await ApplyEnvironment.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    for (const survivedCount of [0, 1, 2]) {
      const admin = await live.admin();
      let changeCount = 0;
      const once = <Answer>(change: () => Promise<Answer>) => {
        changeCount += 1;
        if (changeCount > survivedCount) throw new Error('killed');
        return change();
      };
      const mortal = {
        ...admin,
        deleteQueue: (name: string) => once(() => admin.deleteQueue(name)),
        unbind: (binding: Parameters<typeof admin.unbind>[0]) => once(() => admin.unbind(binding)),
      };
      if (survivedCount < 2)
        await assert.rejects(drain(live, { ...QUICKLY, admin: mortal }), /killed/);
      else await drain(live, { ...QUICKLY, admin: mortal });
      await admin.close();
    }
    assert.deepEqual(await live.drift(AFTER), []);
    const report = await drain(live, QUICKLY);
    assert.deepEqual(report, {
      deletedQueues: [],
      deletedExchanges: [],
      unboundReturns: [],
      remaining: [],
      end: 'drained',
    });
  });

  test('the wait queues of a tier with jitter are drained with their exchange; each message returns once', async (t) => {
    const live = await ApplyEnvironment.open(t);
    const one = { key: 'job.one', queue: 'one', tiers: [1_000], jitter: 1 };
    await live.apply(declareTopology({ exchange: 'jobs', kinds: { one } }));
    const load = new Load(live);
    await load.open();
    const publisher = await live.testTopology.publisher({ prepare: () => Promise.resolve() });
    const ids = Array.from({ length: 12 }, (_, index) => `s${index}`);
    for (const id of ids)
      await publisher.publish({ ...live.testTopology.message(id), headers: spreadHeader(id) });
    await live.testTopology.expectReady('one.wait.1.1s-2s', ids.length);
    await live.apply(AFTER);
    load.finish(() => true);
    const former = ['one.wait.1.1s-2s', 'one.wait.1.1s-2s.long', 'one.wait.1.1s-2s.middle'];
    assert.deepEqual((await live.drift(AFTER)).sort(), [
      'EXCHANGE_OLD one.wait.1.1s-2s',
      ...former.map((name) => `QUEUE_OLD ${name}`),
    ]);
    const { deletedQueues, deletedExchanges, end } = await drain(live, { timeoutMs: 60_000 });
    assert.deepEqual(
      [[...deletedQueues].sort(), deletedExchanges, end],
      [former, ['one.wait.1.1s-2s'], 'drained'],
    );
    assert.deepEqual([...load.ends].sort(), ids.sort());
    assert.deepEqual(await live.drift(AFTER), []);
  });

  test('a delay that is no longer declared is drained with its exchange; its message is delivered before', async (t) => {
    const live = await ApplyEnvironment.open(t);
    const kinds = { one: { key: 'job.one', queue: 'one', tiers: [200] } };
    const delayed = declareTopology({ exchange: 'jobs', delays: ['3s'], kinds });
    const admin = await live.admin();
    if (!isAtLeast({ version: admin.version, hasManagement: true }, '3.13.0')) {
      t.skip(`RabbitMQ ${admin.version} cannot delay`);
      return;
    }
    await live.apply(delayed);
    const load = new Load(live);
    await load.open();
    load.finish(() => true);
    const publisher = await live.testTopology.publisher({ prepare: () => Promise.resolve() });
    await publisher.publish({ ...live.testTopology.message('m0'), exchange: 'jobs.delay.3s' });
    assert.deepEqual(await live.drift(AFTER), [
      'EXCHANGE_OLD jobs.delay.3s',
      'QUEUE_OLD jobs.delay.3s',
      'BINDING_EXTRA jobs.delay.3s [] -> jobs.delay.3s',
    ]);
    await assert.rejects(drain(live), /QUEUE_BOUND jobs.delay.3s/);
    await live.apply(AFTER);
    const late = { ...live.testTopology.message('m1'), exchange: 'jobs.delay.3s' };
    assert.equal(await publisher.publish(late), 'returned');
    const { deletedQueues, deletedExchanges, end } = await drain(live, { timeoutMs: 60_000 });
    assert.deepEqual(
      [deletedQueues, deletedExchanges, end, load.ends],
      [['jobs.delay.3s'], ['jobs.delay.3s'], 'drained', ['m0']],
    );
    assert.deepEqual(await live.drift(AFTER), []);
  });

  test('a queue that is filled or bound again after the first poll stays', async (t) => {
    const live = await ApplyEnvironment.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    const model = await connect(live.testTopology.amqpUrl);
    live.testTopology.closeLater(() => model.close());
    const channel = await model.createConfirmChannel();
    let lookCount = 0;
    const filling = drain(live, {
      onProgress: () => {
        lookCount += 1;
        if (lookCount === 4) channel.sendToQueue('one.wait.2.1m', Buffer.from('late'));
      },
    });
    const report = await filling;
    assert.deepEqual([report.end, report.deletedQueues], ['timeout', ['one.wait.1.100ms']]);
    await channel.bindQueue('one.wait.2.1m', 'one.retry', 'job.one');
    await assert.rejects(drain(live), /QUEUE_BOUND one.wait.2.1m/);
    await eventually(async () => (await live.testTopology.readyCount('one.wait.2.1m')) === 1, {
      describe: () => 'the late message is gone',
    });
  });
});
