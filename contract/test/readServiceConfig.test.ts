/** Goal: invalid configuration is refused with all findings at once. Method: the pure readers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigError,
  dayIn,
  isCalendarDay,
  readFitTopology,
  readServiceConfig,
  serviceVariables,
} from '@fit/contract';
import Type from 'typebox';

const SCHEMA = Type.Object(serviceVariables({ port: 1, metricsPort: 2 }));

test('unset and empty variables give the defaults', () => {
  const unset = readServiceConfig(SCHEMA, {}).service;
  const names = Object.keys(SCHEMA.properties);
  const empty = readServiceConfig(SCHEMA, Object.fromEntries(names.map((name) => [name, ''])));
  assert.deepEqual(empty.service, unset);
  const { port, host, managementUrl, timezone } = unset;
  assert.deepEqual([port, host, managementUrl, timezone], [1, '127.0.0.1', undefined, 'UTC']);
});

test('all findings are reported at once, each with its variable', () => {
  const env = {
    PORT: '70000',
    METRICS_PORT: 'x',
    AMQP_URL: 'http://nowhere',
    MONGODB_URL: 'nonsense',
    CRON_TIMEZONE: 'Mars/Olympus',
    AMQP_MANAGEMENT_URL: 'host:15672',
    HOST: '1.2.3',
    LOG_LEVEL: 'noisy',
    FIT_PROFILE: 'fast',
    FIT_TIERS: '30s,5s',
    FIT_MAX_LENGTH: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
  };
  assert.throws(
    () => readServiceConfig(SCHEMA, env),
    (error: Error) => {
      assert.ok(error instanceof ConfigError);
      // Each finding begins with the variable and its value, and ends with what to do.
      const expected = Object.entries(env).map(([name, value]) => `${name}='${value}' `);
      assert.deepEqual(
        error.findings.map((finding) => /^\w+='[^']*' /.exec(finding)?.[0]).sort(),
        expected.sort(),
      );
      for (const finding of error.findings) assert.match(finding, / must be .*or unset it/);
      return true;
    },
  );
});

test('each profile has its limit, message TTL and tiers', () => {
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

test('an empty profile is the default one', () => {
  assert.deepEqual(
    readFitTopology({ FIT_PROFILE: '', FIT_TIERS: '', FIT_MAX_LENGTH: '' }),
    readFitTopology({}),
  );
});

test('an unknown profile, tiers that fall and a limit of zero are refused by name', () => {
  for (const [env, subject] of [
    [{ FIT_PROFILE: 'fast' }, 'FIT_PROFILE'],
    [{ FIT_TIERS: '30s,5s' }, 'FIT_TIERS'],
    [{ FIT_TIERS: '5 parsecs' }, 'FIT_TIERS'],
    [{ FIT_MAX_LENGTH: '0' }, 'FIT_MAX_LENGTH'],
    [{ FIT_MAX_LENGTH: '2.5' }, 'FIT_MAX_LENGTH'],
  ] as const)
    assert.throws(
      () => readFitTopology(env),
      (error: Error) => error instanceof ConfigError && error.message.startsWith(subject),
      subject,
    );
});

test('a day must exist in the calendar, and today depends on the time zone', () => {
  assert.ok(isCalendarDay('2028-02-29'));
  for (const day of ['2026-02-29', '2026-13-01', '2026-1-1', 'today'])
    assert.ok(!isCalendarDay(day), day);
  const lateEvening = new Date('2026-03-28T23:30:00Z');
  assert.equal(dayIn('UTC', lateEvening), '2026-03-28');
  assert.equal(dayIn('Europe/Berlin', lateEvening), '2026-03-29');
});
