/** Goal: the ids of batches tell the pages of a run apart, whatever text its items are. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfPageIds, isOnOtherPage, pageBatchId, restBatchId } from '../../src/record/batch.ts';

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
