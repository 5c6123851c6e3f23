/** Goal: a wrong value is refused before anything starts, and a weak secret is not printed. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMonolithConfig } from '../src/readMonolithConfig.ts';

for (const FIT_BOOTSTRAP_SECRET of ['x', 'x'.repeat(31), 'x'.repeat(32), 'changeme'.repeat(4)])
  test(`FIT_BOOTSTRAP_SECRET of ${FIT_BOOTSTRAP_SECRET.length} characters, '${FIT_BOOTSTRAP_SECRET}', is refused`, () => {
    assert.throws(
      () => readMonolithConfig({ FIT_BOOTSTRAP_SECRET }),
      (error: Error) => {
        assert.match(error.message, /^FIT_BOOTSTRAP_SECRET (has|can) .*openssl rand -hex 24/);
        assert.ok(
          FIT_BOOTSTRAP_SECRET.length === 1 || !error.message.includes(FIT_BOOTSTRAP_SECRET),
        );
        return true;
      },
    );
  });

test('an empty FIT_BOOTSTRAP_SECRET counts as unset', () => {
  assert.equal(readMonolithConfig({ FIT_BOOTSTRAP_SECRET: '' }).bootstrapSecret, undefined);
});

test('jobs are kept for 30 days and workouts for a year, and never shorter than their jobs', () => {
  const { settings } = readMonolithConfig({});
  assert.deepEqual(
    [settings.FIT_JOB_RETENTION_DAYS, settings.FIT_WORKOUT_RETENTION_DAYS],
    [30, 365],
  );
  const same = { FIT_JOB_RETENTION_DAYS: '400', FIT_WORKOUT_RETENTION_DAYS: '400' };
  assert.equal(readMonolithConfig(same).settings.FIT_WORKOUT_RETENTION_DAYS, 400);
  assert.throws(
    () => readMonolithConfig({ FIT_JOB_RETENTION_DAYS: '366' }),
    /FIT_WORKOUT_RETENTION_DAYS='365' must be at least FIT_JOB_RETENTION_DAYS \(366\)/,
  );
  for (const wrong of ['0', '-1', '1.5', 'ever'])
    assert.throws(() => readMonolithConfig({ FIT_JOB_RETENTION_DAYS: wrong }), /whole number/);
});
