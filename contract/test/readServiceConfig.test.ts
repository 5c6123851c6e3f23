/** Goal: bad configuration stops a process at start, all findings at once. Method: the pure readers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigError,
  dayIn,
  EnvironmentReader,
  isCalendarDay,
  readFitTopology,
  readServiceConfig,
} from '@fit/contract';
import { TopologyError } from '@fit/topology';

const PORTS = { port: 1, metricsPort: 2 };

test('unset and empty variables give the defaults', () => {
  const reader = new EnvironmentReader({ PORT: '', HOST: undefined });
  const config = readServiceConfig(reader, PORTS);
  reader.finish();
  const { port, host, managementUrl, timezone } = config;
  assert.deepEqual([port, host, managementUrl, timezone], [1, '127.0.0.1', undefined, 'UTC']);
});

test('every fault is told at once, each with its variable', () => {
  const reader = new EnvironmentReader({
    PORT: '70000',
    METRICS_PORT: 'x',
    AMQP_URL: 'http://nowhere',
    MONGODB_URL: 'nonsense',
    CRON_TIMEZONE: 'Mars/Olympus',
  });
  readServiceConfig(reader, PORTS);
  assert.throws(
    () => {
      reader.finish();
    },
    (error: Error) => {
      assert.ok(error instanceof ConfigError);
      for (const name of ['PORT=', 'METRICS_PORT=', 'AMQP_URL', 'MONGODB_URL', 'CRON_TIMEZONE'])
        assert.ok(error.message.includes(name), name);
      return true;
    },
  );
});

test('both profiles are the assignment’s and the default’s numbers', () => {
  const [normal] = readFitTopology({}).kinds;
  assert.deepEqual(
    [normal?.queue, normal?.maxLength, normal?.messageTtlMs, normal?.dropsHead],
    ['createWodQueue', 10_000, undefined, false],
  );
  assert.deepEqual(normal?.tiersMs, [5_000, 30_000, 120_000]);
  const [assignment] = readFitTopology({ FIT_PROFILE: 'assignment' }).kinds;
  assert.deepEqual(
    [assignment?.maxLength, assignment?.messageTtlMs, assignment?.tiersMs.length],
    [100, 60_000, 3],
  );
});

test('an unknown profile, tiers that fall and a limit of zero are refused by name', () => {
  for (const [env, culprit] of [
    [{ FIT_PROFILE: 'fast' }, 'FIT_PROFILE'],
    [{ FIT_TIERS: '30s,5s' }, 'tiers[1]'],
    [{ FIT_TIERS: '5 parsecs' }, 'tiers[0]'],
    [{ FIT_MAX_LENGTH: '-1' }, 'maxLength'],
  ] as const)
    assert.throws(
      () => readFitTopology(env),
      (error: Error) => error instanceof TopologyError && error.message.includes(culprit),
      culprit,
    );
});

test('a day is one of the calendar, and belongs to a time zone', () => {
  assert.ok(isCalendarDay('2028-02-29'));
  for (const day of ['2026-02-29', '2026-13-01', '2026-1-1', 'today'])
    assert.ok(!isCalendarDay(day), day);
  const lateEvening = new Date('2026-03-28T23:30:00Z');
  assert.equal(dayIn('UTC', lateEvening), '2026-03-28');
  assert.equal(dayIn('Europe/Berlin', lateEvening), '2026-03-29');
});
