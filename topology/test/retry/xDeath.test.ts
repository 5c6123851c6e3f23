/** Goal: forged deaths are recognised, and read without a throw. Method: deaths as brokers write them, and each part forged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasForgedDeaths, readDeaths } from '../../src/retry/xDeath.ts';
import { BROKER_SERIES, EXHAUSTED, FOURTH_DELIVERY } from '../support/deathHeaders.ts';

const OLD = { version: '3.10.8', hasManagement: true };
const NEW = { version: '4.0.5', hasManagement: true };
const [real] = EXHAUSTED['3.10.8']['x-death'] as Record<string, unknown>[];

test('deaths that a broker wrote are not forged, and no deaths neither', () => {
  for (const series of BROKER_SERIES)
    for (const headers of [FOURTH_DELIVERY[series], EXHAUSTED[series], {}])
      assert.equal(hasForgedDeaths(OLD, headers), false, series);
});

test('deaths of another shape are forged, except where the broker ignores them', () => {
  const forged = [
    ...['one', 7, null, {}, ['one'], [null], [{}]],
    ...['queue', 'reason', 'exchange', 'count', 'time', 'routing-keys'].flatMap((name) => [
      [{ ...real, [name]: null }],
      [real, { ...real, [name]: [{}] }],
    ]),
    [{ ...real, count: 'many' }],
  ];
  for (const deaths of forged) {
    assert.equal(hasForgedDeaths(OLD, { 'x-death': deaths }), true, JSON.stringify(deaths));
    assert.equal(hasForgedDeaths(NEW, { 'x-death': deaths }), false);
  }
});

test('a time of a death that no broker writes is undefined', () => {
  for (const time of [undefined, 'soon', 7, ...[-1, 0, Number.NaN, 1e300, null].map(timestamp)]) {
    const headers = { 'x-death': [{ queue: 'q', reason: 'expired', count: 1, time }] };
    assert.equal(readDeaths(headers)[0]?.firstAtMs, undefined, JSON.stringify(time));
  }
});

function timestamp(value: unknown): object {
  return { '!': 'timestamp', value };
}
