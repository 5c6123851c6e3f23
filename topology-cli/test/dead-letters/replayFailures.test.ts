/** Goal: whatever ends a replay, no letter is lost. Method: killed, cut off, refused, twice at once, on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import {
  type DeadLetterDelivery,
  type DeadLetterReader,
  DeadLetterReaderLost,
} from '@fit/topology/amqp';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { type DeskBroker, deskBroker } from '../../src/dead-letters/deskBroker.ts';
import { replayLetters } from '../../src/dead-letters/replayLetters.ts';
import { DeskBench, names } from './deskBench.ts';

/** The real broker, but for what becomes of acks and of the connection behind them. */
function withBoxes(
  broker: DeskBroker,
  change: (box: DeadLetterReader) => DeadLetterReader,
): DeskBroker {
  return { ...broker, openBox: async (queue) => change(await broker.openBox(queue)) };
}

test('killed between publish and ack: nothing is lost, and the next run goes on', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(20));
  let ackCount = 0;
  const dying = withBoxes(desk.broker, (box) => ({
    ...box,
    next: async () => {
      const held = await box.next();
      if (held === undefined) return undefined;
      const settle = held.ack.bind(held);
      const ack = () => {
        ackCount += 1;
        if (ackCount > 7) throw new Error('killed');
        settle();
      };
      return Object.assign(held, { ack }) satisfies DeadLetterDelivery;
    },
  }));
  await assert.rejects(replayLetters(desk.replayOptions({ broker: dying })), /killed/);
  const left = await desk.ids();
  assert.deepEqual(left, names(20).slice(7));
  const report = await replayLetters(desk.replayOptions());
  assert.deepEqual([report.end, report.replayedCount], ['done', 13]);
  const sent = (await desk.drain('one')).map(({ messageId }) => messageId);
  assert.deepEqual(new Set(sent), new Set(names(20)));
  assert.deepEqual(await desk.ids(), []);
});

test('the connection is cut while it replays: it comes back and goes on', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  await desk.park(names(300));
  const proxy = await openProxy(t, bench.amqpUrl);
  const seen = new Set<string>();
  let cutCount = 0;
  await bench.consumer((delivery) => {
    seen.add(delivery.messageId ?? '');
    if ([40, 150].includes(seen.size) && cutCount < 2) {
      cutCount += 1;
      proxy.cut();
    }
    delivery.ack();
  });
  const broker = deskBroker(proxy.url);
  const said: string[] = [];
  const report = await replayLetters(
    desk.replayOptions({ broker, say: (line) => said.push(line), ratePerSecond: 400 }),
  );
  assert.equal(report.end, 'done');
  await eventually(() => seen.size === 300, { describe: () => `${seen.size} of 300` });
  assert.ok(cutCount > 0 && said.some((line) => line.includes('was lost')), said.join('\n'));
  await bench.expectEmpty();
});

test('a connection that is lost at the same letter each time ends the replay, after those before it', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(10));
  const breaking = withBoxes(desk.broker, (box) => ({
    ...box,
    next: async () => {
      const held = await box.next();
      if (held?.messageId !== 'm6') return held;
      await box.close();
      throw new DeadLetterReaderLost('header bomb');
    },
  }));
  const report = await replayLetters(desk.replayOptions({ broker: breaking }));
  assert.deepEqual([report.end, report.replayedCount], ['broken', 6]);
  assert.match(report.problems[0] ?? '', /lost at letter 7: header bomb/);
  assert.deepEqual(await desk.ids(), ['m6', 'm7', 'm8', 'm9']);
});

test('two replays at once: every letter arrives, none stays', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  await desk.park(names(400));
  const seen = new Map<string, number>();
  await bench.consumer((delivery) => {
    const id = delivery.messageId ?? '';
    seen.set(id, (seen.get(id) ?? 0) + 1);
    delivery.ack();
  });
  const reports = await Promise.all(
    [1, 2].map(() => replayLetters(desk.replayOptions({ holdLimit: 60 }))),
  );
  await eventually(() => seen.size === 400, {
    describe: () => `${seen.size} of 400, ${JSON.stringify(reports)}`,
  });
  assert.deepEqual(
    reports.map(({ end }) => end),
    ['done', 'done'],
  );
  assert.equal(
    reports.reduce((sum, { replayedCount }) => sum + replayedCount, 0),
    400,
  );
  await bench.expectEmpty();
});

test('a full queue: it backs off, goes on when there is room, and gives up where there is none', async (t) => {
  const small = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], maxLength: 5 } },
  });
  const desk = await DeskBench.open(t, small);
  const { bench } = desk;
  await desk.park(names(60));
  const said: string[] = [];
  const stuck = await replayLetters(
    desk.replayOptions({ patienceMs: 300, say: (line) => said.push(line), ratePerSecond: 500 }),
  );
  assert.equal(stuck.end, 'full');
  assert.ok(said.includes('the queue is full: waiting for room'));
  const [lying, ready] = [await bench.readyCount('one.dead'), await bench.readyCount('one')];
  assert.equal(lying + ready, 60);
  assert.ok(stuck.leftCount > 0 && lying > 0);
  const seen = new Set<string>();
  await bench.consumer(
    (delivery) => {
      seen.add(delivery.messageId ?? '');
      delivery.ack();
    },
    { prefetchCount: 1 },
  );
  const report = await replayLetters(desk.replayOptions());
  assert.equal(report.end, 'done');
  await eventually(() => seen.size === 60, { describe: () => `${seen.size} of 60` });
  await bench.expectEmpty();
});

test('nothing is bound to the public key: all are returned, and all stay', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  await desk.park(names(30));
  // Two copies under one id, and letters without any: a return names its message by the id alone.
  await desk.park(['twin', 'twin']);
  await desk.park(['none', 'none'], { properties: {} });
  await bench.ask(
    'DELETE',
    `/api/bindings/${bench.vhost}/e/jobs/q/one/${encodeURIComponent('job.one')}`,
  );
  const report = await replayLetters(desk.replayOptions());
  assert.deepEqual([report.end, report.replayedCount], ['unroutable', 0]);
  assert.equal((await desk.letters()).length, 34);
});
