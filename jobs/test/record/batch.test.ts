/**
 * Goal: the ids of batches tell the pages of a run apart, whatever text its items are, and groups of batches are bounded.
 * Method: calls without I/O.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  endOfPageIds,
  groupBatches,
  isOnOtherPage,
  pageBatchId,
  restBatchId,
} from '../../src/record/batch.ts';

const ITEMS = ['', 'a', 'a.1', 'a/1', 'a:1', 'a/1:b', '~', 'é', ':', '/'];
const page = (item: string) => ({ _id: pageBatchId('run', item), runId: 'run', page: 1 });
const jobIn = (batch: string) => ({ runId: 'run', batch });

test('a job is on another page only if its batch is another page or the rest of one', () => {
  for (const own of ITEMS)
    for (const other of ITEMS) {
      const batch = pageBatchId('run', other);
      const rest = restBatchId({ _id: batch, fence: 1 });
      const restOfRest = restBatchId({ _id: rest, fence: 12 });
      for (const id of [batch, rest, restOfRest])
        assert.equal(isOnOtherPage(jobIn(id), page(own)), own !== other, `${id} and '${own}'`);
    }
});

test('a job that a replay or another run published is on no other page', () => {
  assert.equal(isOnOtherPage(jobIn('replay-1:000000'), page('a')), false);
  assert.equal(isOnOtherPage(jobIn('run-2:a'), page('b')), false);
  assert.equal(isOnOtherPage({ runId: 'run-2', batch: 'run-2:a' }, page('b')), false);
  assert.equal(isOnOtherPage(jobIn('run:a'), { _id: 'run:b', runId: 'run' }), false, 'no page');
});

test('the ids of a run’s pages are together, and no rest is among them', () => {
  const isBetween = (id: string) => id >= pageBatchId('run', '') && id < endOfPageIds('run');
  for (const item of ITEMS) {
    const id = pageBatchId('run', item);
    assert.ok(isBetween(id));
    assert.ok(!isBetween(restBatchId({ _id: id, fence: 1 })));
    for (const runId of ['run2', 'ru', 'run-', 'run;'])
      assert.ok(!isBetween(pageBatchId(runId, item)));
  }
});

test('a group has up to 1,000 jobs, at least one batch, and the order of the batches', () => {
  const groupsOf = (counts: readonly number[]) =>
    groupBatches(counts.map((jobCount) => ({ jobCount }))).map((group) =>
      group.map(({ jobCount }) => jobCount),
    );
  assert.deepEqual(groupsOf([]), []);
  assert.deepEqual(groupsOf([1_000, 1_000]), [[1_000], [1_000]]);
  assert.deepEqual(groupsOf([999, 1, 1]), [[999, 1], [1]]);
  assert.deepEqual(groupsOf([1, 1_000, 1]), [[1], [1_000], [1]]);
  assert.deepEqual(groupsOf([5_000, 1]), [[5_000], [1]]);
  const single = groupsOf(Array.from({ length: 2_500 }, () => 1));
  assert.deepEqual(
    single.map(({ length }) => length),
    [1_000, 1_000, 500],
  );
  const empty = groupsOf(Array.from({ length: 1_001 }, () => 0));
  assert.equal(empty.length, 2, 'batches without jobs are bounded as well');
});
