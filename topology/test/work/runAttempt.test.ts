/** Goal: every way a handler can answer is one outcome. Method: answers, throws, silence under mocked timers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '@fit/topology';
import { type Run, runAttempt } from '../../src/work/runAttempt.ts';

const KIND = { nonRetryable: ['RangeError'] };
const DONE: Outcome<string> = { type: 'done', effect: 'e' };

async function attempt(run: Run<string>, onLong?: () => void) {
  return await runAttempt(run, { kind: KIND, deadlineMs: 5_000, onLong });
}

test('answers are passed on, at once or later', async () => {
  assert.deepEqual(await attempt(() => DONE), DONE);
  assert.deepEqual(await attempt(() => Promise.resolve(DONE)), DONE);
  const reject: Outcome<never> = { type: 'reject', error: 'no' };
  assert.deepEqual(await attempt(() => reject), reject);
});

test('nothing is done, what is no outcome is a retry with that error, at once or later', async () => {
  const nothing = () => undefined;
  assert.deepEqual(await attempt(nothing), { type: 'done' });
  assert.deepEqual(await attempt(() => Promise.resolve(undefined)), { type: 'done' });
  const wrong = { type: 'dnoe' } as unknown as Outcome<string>;
  for (const run of [() => wrong, () => Promise.resolve(wrong)]) {
    const outcome = await attempt(run);
    assert.equal(outcome.type, 'retry');
    assert.match(String((outcome as { error: unknown }).error), /^InvalidOutcome: .*"dnoe"/);
  }
});

test("another library's promise is waited for", async () => {
  const promise = {
    then: (resolve: (answer: Outcome<string>) => void) => {
      resolve(DONE);
    },
  };
  assert.deepEqual(await attempt(() => promise as Promise<Outcome<string>>), DONE);
});

test('a throw is a retry, at once or later', async () => {
  const error = new Error('broken');
  const thrower = () => {
    throw error;
  };
  assert.deepEqual(await attempt(thrower), { type: 'retry', error });
  assert.deepEqual(await attempt(() => Promise.reject(error)), { type: 'retry', error });
});

test('a throw of a class that is not retryable is a reject', async () => {
  const error = new RangeError('never');
  assert.deepEqual(await attempt(() => Promise.reject(error)), { type: 'reject', error });
});

test('silence past the deadline is a retry, aborts the work, and was called long once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen: { signal?: AbortSignal; long: number } = { long: 0 };
  const silent: Run<string> = (signal) => {
    seen.signal = signal;
    return new Promise(() => undefined);
  };
  const outcome = attempt(silent, () => {
    seen.long += 1;
  });
  t.mock.timers.tick(4_999);
  assert.equal(seen.signal?.aborted, false);
  assert.equal(seen.long, 1);
  t.mock.timers.tick(1);
  const ended = await outcome;
  assert.equal(ended.type, 'retry');
  assert.equal((ended as { error: Error }).error.name, 'DeadlineExceeded');
  assert.equal(seen.signal.aborted, true);
  t.mock.timers.tick(60_000);
  assert.equal(seen.long, 1);
});

test('an answer in time clears its timers: nothing is aborted or called long later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen: { signal?: AbortSignal; long: number } = { long: 0 };
  const outcome = await attempt(
    (signal) => {
      seen.signal = signal;
      return Promise.resolve(DONE);
    },
    () => {
      seen.long += 1;
    },
  );
  t.mock.timers.tick(60_000);
  assert.deepEqual(outcome, DONE);
  assert.deepEqual([seen.signal?.aborted, seen.long], [false, 0]);
});
