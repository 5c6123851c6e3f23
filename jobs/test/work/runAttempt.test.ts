/** Goal: every way a handler can answer is one outcome. Method: answers, throws, silence under mocked timers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler, Job, Outcome } from '@fit/jobs';
import { runAttempt } from '../../src/work/runAttempt.ts';

const JOB = { id: 'id', kind: 'trivial', generation: 1, payload: {}, attempt: 1 };
const DONE: Outcome<string> = { type: 'done', effect: 'e' };

async function attempt(run: Handler['run'], onLong: () => void = () => undefined) {
  return await runAttempt({ run } as Handler, JOB, { deadlineMs: 5_000, onLong });
}

test('answers are passed on, at once or later', async () => {
  assert.deepEqual(await attempt(() => DONE), DONE);
  assert.deepEqual(await attempt(() => Promise.resolve(DONE)), DONE);
  const reject: Outcome<never> = { type: 'reject', error: 'no' };
  assert.deepEqual(await attempt(() => reject), reject);
});

test('a throw is a retry, at once or later', async () => {
  const error = new Error('broken');
  const thrower = () => {
    throw error;
  };
  assert.deepEqual(await attempt(thrower), { type: 'retry', error });
  assert.deepEqual(await attempt(() => Promise.reject(error)), { type: 'retry', error });
});

test('silence past the deadline is a retry, aborts the work, and was called long once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen: { job?: Job; long: number } = { long: 0 };
  const silent: Handler['run'] = (job) => {
    seen.job = job;
    return new Promise(() => undefined);
  };
  const outcome = attempt(silent, () => {
    seen.long += 1;
  });
  t.mock.timers.tick(4_999);
  assert.equal(seen.job?.signal.aborted, false);
  assert.equal(seen.long, 1);
  t.mock.timers.tick(1);
  const ended = await outcome;
  assert.equal(ended.type, 'retry');
  assert.equal((ended as { error: Error }).error.name, 'DeadlineExceeded');
  assert.equal(seen.job.signal.aborted, true);
  t.mock.timers.tick(60_000);
  assert.equal(seen.long, 1);
});

test('an answer in time clears its timers: nothing is aborted or called long later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen: { job?: Job; long: number } = { long: 0 };
  const outcome = await attempt(
    (job) => {
      seen.job = job;
      return Promise.resolve(DONE);
    },
    () => {
      seen.long += 1;
    },
  );
  t.mock.timers.tick(60_000);
  assert.deepEqual(outcome, DONE);
  assert.deepEqual([seen.job?.signal.aborted, seen.long], [false, 0]);
});
