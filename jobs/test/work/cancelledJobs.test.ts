/** Goal: a database that hangs or is away uses up no attempt. Method: stores that answer never, with an error, or at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CancelledJobs } from '../../src/work/cancelledJobs.ts';

test('while the database hangs or fails no job counts as cancelled, and the attempt goes on', async () => {
  const hanging = { findCancelled: () => new Promise<Set<string>>(() => undefined) };
  assert.equal(await new CancelledJobs(hanging, 20).has('send:a'), false);
  const failing = { findCancelled: () => Promise.reject(new Error('away')) };
  assert.equal(await new CancelledJobs(failing, 20).has('send:a'), false);
});

test('those that ask together share a statement', async () => {
  const asked: (readonly string[])[] = [];
  const jobs = new CancelledJobs(
    {
      findCancelled: (ids) => {
        asked.push(ids);
        return Promise.resolve(new Set(['send:b']));
      },
    },
    60_000,
  );
  assert.deepEqual(await Promise.all(['send:a', 'send:b'].map((id) => jobs.has(id))), [
    false,
    true,
  ]);
  assert.deepEqual(asked, [['send:a', 'send:b']]);
});
