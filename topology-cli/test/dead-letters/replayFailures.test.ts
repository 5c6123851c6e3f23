/** Goal: whatever ends a replay, no message is lost. Method: killed, disconnected, refused, twice at once, on a real broker. */
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
import {
  type DeadLetterBroker,
  deadLetterBroker,
} from '../../src/dead-letters/browseDeadLetters.ts';
import { replayDeadLetters } from '../../src/dead-letters/replayDeadLetters.ts';
import { DeadLetterEnvironment, names } from './deadLetterEnvironment.ts';

/** The real broker, but for what becomes of acks and of the connection behind them. */
function withBoxes(
  broker: DeadLetterBroker,
  change: (reader: DeadLetterReader) => DeadLetterReader,
): DeadLetterBroker {
  return { ...broker, openReader: async (queue) => change(await broker.openReader(queue)) };
}

test('killed between publish and acknowledgement: nothing is lost, and the next run continues', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(20));
  let ackCount = 0;
  const dying = withBoxes(environment.broker, (reader) => ({
    ...reader,
    next: async () => {
      const held = await reader.next();
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
  await assert.rejects(replayDeadLetters(environment.replayOptions({ broker: dying })), /killed/);
  const left = await environment.ids();
  assert.deepEqual(left, names(20).slice(7));
  const report = await replayDeadLetters(environment.replayOptions());
  assert.deepEqual([report.end, report.replayedCount], ['done', 13]);
  const sent = (await environment.drain('one')).map(({ messageId }) => messageId);
  assert.deepEqual(new Set(sent), new Set(names(20)));
  assert.deepEqual(await environment.ids(), []);
});

test('the connection is cut during a replay: the replay reconnects and continues', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  await environment.addDeadLetters(names(300));
  const proxy = await openProxy(t, testTopology.amqpUrl);
  const seen = new Set<string>();
  let cutCount = 0;
  await testTopology.consumer((delivery) => {
    seen.add(delivery.messageId ?? '');
    if ([40, 150].includes(seen.size) && cutCount < 2) {
      cutCount += 1;
      proxy.cut();
    }
    delivery.ack();
  });
  const broker = deadLetterBroker(proxy.url);
  const logged: string[] = [];
  const report = await replayDeadLetters(
    environment.replayOptions({ broker, log: (line) => logged.push(line), ratePerSecond: 400 }),
  );
  assert.equal(report.end, 'done');
  await eventually(() => seen.size === 300, { describe: () => `${seen.size} of 300` });
  assert.ok(cutCount > 0 && logged.some((line) => line.includes('was lost')), logged.join('\n'));
  await testTopology.expectEmpty();
});

test('a connection that is lost at the same message each time ends the replay after the messages before it', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(10));
  const breaking = withBoxes(environment.broker, (reader) => ({
    ...reader,
    next: async () => {
      const held = await reader.next();
      if (held?.messageId !== 'm6') return held;
      await reader.close();
      throw new DeadLetterReaderLost('header bomb');
    },
  }));
  const report = await replayDeadLetters(environment.replayOptions({ broker: breaking }));
  assert.deepEqual([report.end, report.replayedCount], ['broken', 6]);
  assert.match(report.problems[0] ?? '', /lost at message 7: header bomb/);
  assert.deepEqual(await environment.ids(), ['m6', 'm7', 'm8', 'm9']);
});

test('two replays at once: every message arrives, none stays', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  await environment.addDeadLetters(names(400));
  const seen = new Map<string, number>();
  await testTopology.consumer((delivery) => {
    const id = delivery.messageId ?? '';
    seen.set(id, (seen.get(id) ?? 0) + 1);
    delivery.ack();
  });
  const reports = await Promise.all(
    [1, 2].map(() => replayDeadLetters(environment.replayOptions({ readLimit: 60 }))),
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
  await testTopology.expectEmpty();
});

test('a full queue: the replay backs off, continues when the queue accepts messages, and gives up where it does not', async (t) => {
  const small = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], maxLength: 5 } },
  });
  const environment = await DeadLetterEnvironment.open(t, small);
  const { testTopology } = environment;
  await environment.addDeadLetters(names(60));
  const logged: string[] = [];
  const stuck = await replayDeadLetters(
    environment.replayOptions({
      fullQueueTimeoutMs: 300,
      log: (line) => logged.push(line),
      ratePerSecond: 500,
    }),
  );
  assert.equal(stuck.end, 'full');
  assert.ok(logged.includes('the queue is full: waiting until it accepts messages'));
  const [lying, ready] = [
    await testTopology.readyCount('one.dead'),
    await testTopology.readyCount('one'),
  ];
  assert.equal(lying + ready, 60);
  assert.ok(stuck.failedCount > 0 && lying > 0);
  const seen = new Set<string>();
  await testTopology.consumer(
    (delivery) => {
      seen.add(delivery.messageId ?? '');
      delivery.ack();
    },
    { prefetchCount: 1 },
  );
  const report = await replayDeadLetters(environment.replayOptions());
  assert.equal(report.end, 'done');
  await eventually(() => seen.size === 60, { describe: () => `${seen.size} of 60` });
  await testTopology.expectEmpty();
});

test('nothing is bound to the public key: all are returned, and all stay', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  await environment.addDeadLetters(names(30));
  // Two copies under one id, and letters without any: a return names its message by the id alone.
  await environment.addDeadLetters(['twin', 'twin']);
  await environment.addDeadLetters(['none', 'none'], { properties: {} });
  await testTopology.ask(
    'DELETE',
    `/api/bindings/${testTopology.vhost}/e/jobs/q/one/${encodeURIComponent('job.one')}`,
  );
  const report = await replayDeadLetters(environment.replayOptions());
  assert.deepEqual([report.end, report.replayedCount], ['unroutable', 0]);
  assert.equal((await environment.deadLetters()).length, 34);
});
