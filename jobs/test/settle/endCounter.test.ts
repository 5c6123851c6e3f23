/** Goal: each end is counted once for its run, and an uncertain addition leads to a recount. Method: run stores that fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndCounter } from '@fit/jobs';
import type { EndChange, RunStore } from '@fit/jobs/store';

function open() {
  const writes: string[] = [];
  const failures = { add: 0, recount: 0 };
  const counter = new EndCounter({
    countingRuns: {
      addEnds: (id: string, { done, dead, cancelled, causes }: EndChange) => {
        if (failures.add-- > 0) return Promise.reject(new Error('out'));
        writes.push(`${id} ${done} ${dead} ${cancelled} ${JSON.stringify(causes)}`);
        return Promise.resolve();
      },
    } as unknown as RunStore,
    runs: {
      requestRecount: (id: string) => {
        if (failures.recount-- > 0) return Promise.reject(new Error('out'));
        writes.push(`recount ${id}`);
        return Promise.resolve();
      },
    } as unknown as RunStore,
  });
  return { counter, writes, failures };
}

test('ends of one run are added together; ends of several runs where every record changed are added to each', async () => {
  const { counter, writes } = open();
  counter.add({ runIds: ['a', 'a', 'a'], end: 'done', changedCount: 2 });
  counter.add({ runIds: ['a', 'b'], end: 'dead', cause: 'fatal', changedCount: 2 });
  counter.add({ runIds: ['b'], end: 'cancelled', changedCount: 1 });
  counter.add({ runIds: ['b', 'c'], end: 'done', changedCount: 0 });
  await counter.flush();
  await counter.flush();
  assert.deepEqual(writes, ['a 2 1 0 {"fatal":1}', 'b 0 1 1 {"fatal":1}']);
});

test('where only some records of several runs changed, these runs are counted again', async () => {
  const { counter, writes } = open();
  counter.add({ runIds: ['a', 'b', 'a'], end: 'done', changedCount: 2 });
  await counter.flush();
  assert.deepEqual(writes, ['recount a', 'recount b']);
});

test('a revived job takes a dead one away, and its run is counted again, because its cause is not known', async () => {
  const { counter, writes } = open();
  counter.add({ runIds: ['a', 'a'], end: 'done', changedCount: 2, revivedCount: 1 });
  await counter.flush();
  assert.deepEqual(writes, ['a 2 -1 0 {}', 'recount a']);
});

test('an addition that failed is not repeated: the recount is requested until it succeeds, and other runs are added later', async () => {
  const { counter, writes, failures } = open();
  Object.assign(failures, { add: 1, recount: 1 });
  counter.add({ runIds: ['a', 'b'], end: 'done', changedCount: 2 });
  await counter.flush();
  assert.deepEqual(writes, []);
  counter.add({ runIds: ['b'], end: 'done', changedCount: 1 });
  await counter.flush();
  assert.deepEqual(writes, ['b 2 0 0 {}']);
  await counter.close();
  assert.deepEqual(writes, ['b 2 0 0 {}', 'recount a']);
});

test('counts are written by a timer, also after a failure', { timeout: 30_000 }, async () => {
  const { counter, writes, failures } = open();
  failures.add = 1;
  // The counter's timer does not keep a process running.
  const alive = setInterval(() => undefined, 1_000);
  counter.add({ runIds: ['a'], end: 'done', changedCount: 1 });
  while (!writes.includes('recount a')) await new Promise((resolve) => setImmediate(resolve));
  clearInterval(alive);
  assert.deepEqual(writes, ['recount a']);
});
