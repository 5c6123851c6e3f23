/** Goal: what surrounds an attempt: breaker, crash guard, priority lane, drain. Method: a worker on the real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { Worker, type WorkerEvent, type WorkerOptions } from '@fit/topology/work';
import { brokerFacts } from '../support/brokerFacts.ts';
import { crashConsumers } from '../support/crashConsumer.ts';
import { TestTopology } from '../support/testTopology.ts';

async function openWorker(
  bench: TestTopology,
  options: Pick<WorkerOptions, 'run'> & Partial<WorkerOptions>,
): Promise<Worker> {
  const { declaration, amqpUrl, managementUrl } = bench;
  const worker = await Worker.open({
    declaration,
    kind: 'one',
    amqpUrl,
    managementUrl,
    ...options,
  });
  bench.closeLater(() => worker.close());
  return worker;
}

class StoreDown extends Error {
  override readonly name = 'StoreDown';
}

test('the store is out: few attempts are spent, nothing is dead, and all is done when it is back', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  await bench.publishAll(publisher, 200);
  const store = { isDown: true };
  const failures = new Map<string, number>();
  const done = new Set<string>();
  const events: WorkerEvent[] = [];
  await openWorker(bench, {
    prefetchCount: 20,
    concurrency: 5,
    circuitBreaker: { sampleSize: 10, failureRatio: 0.8, pauseMs: 30, longestPauseMs: 100 },
    onEvent: (event) => events.push(event),
    run: async ({ delivery }) => {
      await new Promise(setImmediate);
      const id = delivery.messageId!;
      if (!store.isDown) done.add(id);
      else failures.set(id, (failures.get(id) ?? 0) + 1);
      if (store.isDown) throw new StoreDown('no answer');
      return { type: 'done', effect: undefined };
    },
  });
  const openings = () =>
    events.filter((event) => event.type === 'circuitBreaker' && event.state.type === 'open').length;
  await eventually(() => openings() >= 3, { describe: () => JSON.stringify(events) });
  const spentCount = [...failures.values()].reduce((sum, count) => sum + count, 0);
  store.isDown = false;
  await eventually(() => done.size === 200, { describe: () => `${done.size} done` });
  // The window, what ran beside it, and one for each probe: not one for each of 200 messages.
  assert.ok(spentCount <= 10 + 5 + openings(), `${spentCount} attempts were spent`);
  await bench.expectEmpty();
});

test('a letter that the broker does not confirm: the attempt ended as a retry, is told as one, and comes again', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  const unconfirmed: unknown[] = [];
  const attempts: number[] = [];
  await openWorker(bench, {
    onUnconfirmed: ({ attempt, outcome, step }) =>
      unconfirmed.push([attempt.number, outcome.type, step]),
    run: ({ attempt }) => {
      attempts.push(attempt.number);
      return attempt.number === 1
        ? { type: 'reject', error: new Error('hopeless') }
        : { type: 'done', effect: undefined };
    },
  });
  // Nothing takes letters any more: the broker returns them.
  const channel = await bench.model.createChannel();
  await channel.unbindQueue('one.dead', 'one.park', '');
  await bench.publishAll(publisher, 1);
  await eventually(() => attempts.length === 2, { describe: () => JSON.stringify(attempts) });
  assert.deepEqual(attempts, [1, 2]);
  const [delayMs] = bench.kind.tiersMs;
  assert.deepEqual(unconfirmed, [[1, 'retry', { type: 'wait', delayMs }]]);
  await bench.expectEmpty();
});

test('a handler in JavaScript: nothing returned is done, anything else is tried again with the reason, and none ends the process', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  const answers = new Map<string, unknown>([
    ['nothing', undefined],
    ['true', true],
    ['misspelt', { type: 'dnoe' }],
    ['no delay', { type: 'retryAfter', error: new Error('busy') }],
    ['done', { type: 'done' }],
  ]);
  const ends: string[] = [];
  await openWorker(bench, {
    // The answer of a program that no compiler has seen.
    run: ({ delivery, attempt }) =>
      attempt.number > 1 ? undefined : (answers.get(delivery.messageId!) as undefined),
    settle: ({ delivery, attempt, outcome, answer }) => {
      const error = 'error' in outcome ? ` ${String(outcome.error).split(':')[0]}` : '';
      ends.push(`${delivery.messageId} ${attempt.number} ${outcome.type}${error}`);
      answer();
    },
  });
  for (const id of answers.keys()) await publisher.publish(bench.message(id));
  await eventually(() => ends.length === 8, { describe: () => ends.join(', ') });
  assert.deepEqual(ends.sort(), [
    'done 1 done',
    'misspelt 1 retry InvalidOutcome',
    'misspelt 2 done',
    'no delay 1 retry InvalidOutcome',
    'no delay 2 done',
    'nothing 1 done',
    'true 1 retry InvalidOutcome',
    'true 2 done',
  ]);
  await bench.expectEmpty();
});

test('a count of crashes above the limit is refused before the handler, though the broker let it pass', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  await publisher.publish(bench.message('killer'));
  // Without its policy the broker does not end it.
  await bench.ask('DELETE', `/api/policies/${bench.vhost}/one`);
  assert.equal(await crashConsumers(bench, bench.kind.crashLimit + 1), bench.kind.crashLimit + 1);
  const visits: unknown[] = [];
  const events: WorkerEvent[] = [];
  await openWorker(bench, {
    onEvent: (event) => events.push(event),
    run: ({ delivery }) => {
      visits.push(delivery.messageId);
      return { type: 'done', effect: undefined };
    },
  });
  const letters = await bench.takeLetters(1);
  assert.deepEqual(
    letters.map(({ id, cause }) => [id, cause]),
    [['killer', 'crashed']],
  );
  assert.deepEqual(visits, []);
  assert.ok(events.some(({ type }) => type === 'refused'));
});

test('urgent overtakes what was there before it, also after a retry; a broker without lanes is refused', async (t) => {
  const bench = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [100, 200], hasPriorities: true } },
    }),
  );
  if (!(await brokerFacts()).hasPriorities) {
    await assert.rejects(bench.publisher(), /PRIORITY_UNSUPPORTED one/);
    return;
  }
  const publisher = await bench.publisher();
  await bench.publishAll(publisher, 50);
  await publisher.publish(bench.message('urgent', { isUrgent: true }));
  const order: string[] = [];
  const lanes: boolean[] = [];
  await openWorker(bench, {
    prefetchCount: 1,
    run: ({ delivery, attempt }) => {
      order.push(delivery.messageId!);
      if (delivery.messageId !== 'urgent') return { type: 'done', effect: undefined };
      lanes.push(delivery.isUrgent);
      return attempt.isLast
        ? { type: 'done', effect: undefined }
        : { type: 'retryAfter', delayMs: 150, error: new Error('not yet') };
    },
  });
  await eventually(() => lanes.length === 2, { describe: () => order.join(', ') });
  assert.ok(order.indexOf('urgent') <= 2, order.slice(0, 5).join(', '));
  assert.deepEqual(lanes, [true, true]);
});

test('a drain waits for what runs, and what does not end in time goes back', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  await bench.publishAll(publisher, 3);
  const ends = new Map<string, () => void>();
  const worker = await openWorker(bench, {
    prefetchCount: 3,
    run: ({ delivery }) =>
      new Promise((resolve) => {
        ends.set(delivery.messageId!, () => {
          resolve({ type: 'done', effect: undefined });
        });
      }),
  });
  await eventually(() => ends.size === 3, { describe: () => [...ends.keys()].join(', ') });
  const drained = worker.drain(500);
  ends.get('m0')?.();
  await drained;
  await bench.expectReady('one', 2);
});
