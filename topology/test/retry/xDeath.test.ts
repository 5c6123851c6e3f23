/** Goal: what would harm an old broker is known before it is rejected. Method: real histories, and each part forged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasForgedDeaths } from '../../src/retry/xDeath.ts';
import { BROKER_SERIES, EXHAUSTED, FOURTH_DELIVERY } from '../support/deathHeaders.ts';

const OLD = { version: '3.10.8', hasManagement: true };
const NEW = { version: '4.0.5', hasManagement: true };
const [real] = EXHAUSTED['3.10.8']['x-death'] as Record<string, unknown>[];

test('what a broker wrote is none; nor is a message without deaths', () => {
  for (const series of BROKER_SERIES)
    for (const headers of [FOURTH_DELIVERY[series], EXHAUSTED[series], {}])
      assert.equal(hasForgedDeaths(OLD, headers), false, series);
});

test('another shape is forged, but harmless where the broker ignores it', () => {
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
