/** Goal: every way a handler can answer is one outcome. Method: answers, throws, silence under mocked timers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '@fit/topology';
import { attemptOf } from '@fit/topology';
import { SYSTEM_CLOCK } from '../../src/work/clock.ts';
import { Deadlines, RunningTask, type RunOptions, runAttempt } from '../../src/work/runAttempt.ts';
import { DEFAULT } from '../support/declarations.ts';

const KIND = { nonRetryable: ['RangeError'] };
const DONE: Outcome<string> = { type: 'done', effect: 'e' };

type Run = (signal: () => AbortSignal) => ReturnType<RunOptions<string, string>['run']>;

/** The clock is the one that a test may mock. */
const CLOCK = { ...SYSTEM_CLOCK, elapsedMs: () => Date.now() };

async function attempt(run: Run, onLong?: () => void, deadlines = new Deadlines(5_000, CLOCK)) {
  const { createWod } = DEFAULT.kind;
  const first = attemptOf(createWod, createWod.key, {})!;
  const task = new RunningTask('message', first, {} as never);
  return await runAttempt(task, KIND, { run: () => run(() => task.signal), deadlines, onLong });
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
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const seen: { signal?: AbortSignal; long: number } = { long: 0 };
  const silent: Run = (signal) => {
    seen.signal = signal();
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
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const seen: { signal?: AbortSignal; long: number } = { long: 0 };
  const outcome = await attempt(
    (signal) => {
      seen.signal = signal();
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

test('an attempt runs for long after a second, also behind another one that did', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const deadlines = new Deadlines(60_000, CLOCK);
  const silent = new Promise<never>(() => undefined);
  const long: string[] = [];
  void attempt(
    () => silent,
    () => long.push('first'),
    deadlines,
  );
  t.mock.timers.tick(2_000);
  void attempt(
    () => silent,
    () => long.push('second'),
    deadlines,
  );
  t.mock.timers.tick(999);
  assert.deepEqual(long, ['first']);
  t.mock.timers.tick(1);
  assert.deepEqual(long, ['first', 'second']);
});

test('attempts share one timer, and each ends at its own deadline; a signal that is asked for later is aborted', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const deadlines = new Deadlines(5_000, CLOCK);
  const ended: string[] = [];
  let lateSignal: (() => AbortSignal) | undefined;
  let longCount = 0;
  const begin = (name: string, run: Run) =>
    attempt(run, () => (longCount += 1), deadlines).then(({ type }) =>
      ended.push(`${name} ${type}`),
    );
  const silent = new Promise<never>(() => undefined);
  const first = begin('first', (signal) => {
    lateSignal = signal;
    return silent;
  });
  t.mock.timers.tick(3_000);
  const quick = begin('quick', () => Promise.resolve(DONE));
  const second = begin('second', () => silent);
  await quick;
  t.mock.timers.tick(2_000);
  await first;
  assert.deepEqual(ended, ['quick done', 'first retry']);
  assert.equal(lateSignal?.().aborted, true);
  assert.equal(longCount, 2);
  t.mock.timers.tick(2_999);
  await new Promise(setImmediate);
  assert.equal(ended.length, 2);
  t.mock.timers.tick(1);
  await second;
  assert.deepEqual(ended.slice(2), ['second retry']);
});
