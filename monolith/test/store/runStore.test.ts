/** Goal: no number of runs for some users hides the run for everyone, and the query has an index. Method: a real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { type Run, RunStore } from '../../src/store/runStore.ts';

const date = '2026-11-23';

function run(minute: number, parts: Partial<Run> = {}): Run {
  const createdAt = new Date(Date.parse(`${date}T05:00:00Z`) + minute * 60_000);
  const whole = { _id: `run-${minute}`, date, requestHash: 'h', createdAt, isForEveryone: false };
  return { ...whole, ...parts };
}

test('the runs of a day are those for everyone first, then the newest, and none of another day', async (t) => {
  const store = await testStore(t);
  const runs = new RunStore(store.database);
  await runs.ensureIndexes();
  const given = [
    run(0, { isForEveryone: true }),
    run(1, { isForEveryone: true }),
    ...Array.from({ length: 60 }, (_, index) => run(2 + index)),
    run(95, { date: '2026-11-24', isForEveryone: true }),
  ];
  for (const one of given) await runs.insertIfAbsent(one);
  const ids = async (limit: number) => (await runs.ofDay(date, limit)).map(({ _id }) => _id);
  assert.deepEqual(await ids(5), ['run-1', 'run-0', 'run-61', 'run-60', 'run-59']);
  assert.equal((await ids(100)).length, 62);
  const indexes = await store.raw('runs').indexes();
  assert.ok(indexes.some(({ key }) => Object.keys(key).join() === 'date,isForEveryone,createdAt'));
});
