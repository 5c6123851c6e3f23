/**
 * Goal: drain deletes old wait queues that are empty, and never one that is not, however it looks.
 * Method: real queues whose messages wait, are held, or are just not counted yet; short timeouts, stops and kills.
 */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { planFor } from '../../src/live/applyTopology.ts';
import {
  type DrainOptions,
  type DrainProgress,
  type DrainReport,
  drainTopology,
} from '../../src/live/drainTopology.ts';
import { LiveBench, Load, tiersOf } from './liveBench.ts';

const BEFORE = tiersOf([100, 60_000]);
const AFTER = tiersOf([200]);
/** With the broker's real interval: ten seconds until what is there is counted, twelve until a queue counts as empty. */
const LONG_MS = 26_000;
/** Where what is looked at is not the count: it is there or not from the start. */
const QUICKLY = { countIntervalMs: 1_000 };
const OLD_QUEUES = ['one.wait.1.100ms', 'one.wait.2.1m'];

async function drain(live: LiveBench, change: Partial<DrainOptions> = {}): Promise<DrainReport> {
  const hand = await live.hand();
  return await drainTopology({
    hand,
    api: live.api,
    plan: planFor(AFTER, hand.version),
    timeoutMs: LONG_MS,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...change,
  });
}

/** One message waits for a minute in the second old queue. */
async function openWaiting(t: TestContext): Promise<LiveBench> {
  const live = await LiveBench.open(t);
  await live.apply(BEFORE);
  const load = new Load(live);
  await load.open();
  await load.publish(1);
  await live.bench.expectReady('one.wait.2.1m', 1);
  await live.apply(AFTER);
  return live;
}

suite('drain', { concurrency: true }, () => {
  test('while an old queue is bound, it is refused: apply first', async (t) => {
    const live = await LiveBench.open(t);
    await live.apply(BEFORE);
    await assert.rejects(drain(live), (error: { code: string; faults: { subject: string }[] }) => {
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      assert.deepEqual(
        error.faults.map(({ subject }) => subject),
        OLD_QUEUES,
      );
      return true;
    });
    await live.bench.expectReady('one.wait.2.1m', 0);
  });

  test('the empty one goes, the filled one stays, with its way back, and is told each second', async (t) => {
    const live = await openWaiting(t);
    const told: DrainProgress[] = [];
    const report = await drain(live, { onProgress: (progress) => told.push(progress) });
    assert.deepEqual(report, {
      deletedQueues: ['one.wait.1.100ms'],
      unboundReturns: [],
      remaining: [{ name: 'one.wait.2.1m', messageCount: 1 }],
      end: 'timeout',
    });
    assert.ok(told.length >= LONG_MS / 1_000 - 2, `told ${told.length} times`);
    const lastWaitMs = told.at(-1)?.longestWaitMs ?? 0;
    assert.ok(lastWaitMs > 60_000 - LONG_MS - 1_000 && lastWaitMs < 60_000 - LONG_MS + 3_000);
    assert.deepEqual(await live.drift(AFTER), ['QUEUE_OLD one.wait.2.1m']);
    await live.bench.expectReady('one.wait.2.1m', 1);
  });

  test('what is held is not nothing, though a passive declare says so', async (t) => {
    const live = await LiveBench.open(t);
    await live.apply(tiersOf([3_000]));
    const model = await connect(live.bench.amqpUrl);
    live.bench.closeLater(() => model.close());
    const channel = await model.createChannel();
    const load = new Load(live);
    await load.open();
    await load.publish(3);
    await live.bench.expectReady('one.wait.1.3s', 3);
    await live.apply(AFTER);
    // Nobody takes what expires: at-least-once keeps it in its queue.
    await channel.deleteExchange('one.return');
    await live.bench.expectReady('one.wait.1.3s', 0);
    const report = await drain(live);
    assert.deepEqual(
      [report.end, report.deletedQueues, report.remaining],
      ['timeout', [], [{ name: 'one.wait.1.3s', messageCount: 3 }]],
    );
  });

  test('a stop ends it between two looks; a consumer of an old queue keeps it', async (t) => {
    const live = await LiveBench.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    await live.bench.consumer(() => undefined, {
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

  test('killed after each of its changes and run again: all that was old is gone', async (t) => {
    const live = await LiveBench.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    for (const survivedCount of [0, 1, 2]) {
      const hand = await live.hand();
      let changeCount = 0;
      const once = <Answer>(change: () => Promise<Answer>) => {
        changeCount += 1;
        if (changeCount > survivedCount) throw new Error('killed');
        return change();
      };
      const mortal = {
        ...hand,
        deleteQueue: (name: string) => once(() => hand.deleteQueue(name)),
        unbind: (binding: Parameters<typeof hand.unbind>[0]) => once(() => hand.unbind(binding)),
      };
      if (survivedCount < 2)
        await assert.rejects(drain(live, { ...QUICKLY, hand: mortal }), /killed/);
      else await drain(live, { ...QUICKLY, hand: mortal });
      await hand.close();
    }
    assert.deepEqual(await live.drift(AFTER), []);
    const report = await drain(live, QUICKLY);
    assert.deepEqual(report, {
      deletedQueues: [],
      unboundReturns: [],
      remaining: [],
      end: 'drained',
    });
  });

  test('filled again after the first look, and bound again: left alone', async (t) => {
    const live = await LiveBench.open(t);
    await live.apply(BEFORE);
    await live.apply(AFTER);
    const model = await connect(live.bench.amqpUrl);
    live.bench.closeLater(() => model.close());
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
    await eventually(async () => (await live.bench.readyCount('one.wait.2.1m')) === 1, {
      describe: () => 'the late message is gone',
    });
  });
});
