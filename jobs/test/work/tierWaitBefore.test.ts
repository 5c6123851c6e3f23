/** Goal: the wait before an attempt is computed from the headers, as precisely as they allow. Method: headers of a broker, and invalid ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tierWaitBefore } from '@fit/jobs';
import { waitQueue } from '@fit/topology';
import { KIND } from '../support/fakes.ts';

const SECOND = 1_790_000_000;
const expired = (tier: number, value: unknown = SECOND) => ({
  'x-death': [
    { queue: KIND.queue, reason: 'rejected', count: tier, time: { '!': 'timestamp', value: 1 } },
    { queue: waitQueue(KIND, tier), reason: 'expired', time: { '!': 'timestamp', value } },
  ],
});
const at = (ms: number) => new Date(SECOND * 1_000 + ms);

test('the wait ends at the delivery, within the second that the broker recorded, and lasted the TTL of its tier', () => {
  const wait = tierWaitBefore(KIND, 3, { headers: expired(2), deliveredAt: at(420) });
  assert.deepEqual(wait, {
    queue: waitQueue(KIND, 2),
    tier: 2,
    ttlMs: 100,
    startedAt: at(320),
    endedAt: at(420),
  });
});

test('time in the main queue is no part of the wait, and a clock that is behind does not move its end before the recorded second', () => {
  assert.deepEqual(
    tierWaitBefore(KIND, 2, { headers: expired(1), deliveredAt: at(60_000) })?.endedAt,
    at(999),
  );
  assert.deepEqual(
    tierWaitBefore(KIND, 2, { headers: expired(1), deliveredAt: at(-5_000) })?.endedAt,
    at(0),
  );
});

test('there is no wait for a first attempt, an attempt beyond the tiers, another tier or another reason', () => {
  const deliveredAt = at(0);
  assert.equal(tierWaitBefore(KIND, 1, { headers: expired(1), deliveredAt }), undefined);
  assert.equal(tierWaitBefore(KIND, 9, { headers: expired(1), deliveredAt }), undefined);
  assert.equal(tierWaitBefore(KIND, 3, { headers: expired(1), deliveredAt }), undefined);
  const maxlen = { 'x-death': [{ ...expired(1)['x-death'][1], reason: 'maxlen' }] };
  assert.equal(tierWaitBefore(KIND, 2, { headers: maxlen, deliveredAt }), undefined);
});

const invalidDeaths: readonly unknown[] = [
  ...[undefined, null, 7, 'x-death', {}, [null], [7, 'a', []], [{ queue: waitQueue(KIND, 1) }]],
  ...['soon', -1, 0, Number.NaN, Number.POSITIVE_INFINITY, 1e300, null, {}].map(
    (value) => expired(1, value)['x-death'],
  ),
];
for (const [index, deaths] of invalidDeaths.entries())
  test(`invalid x-death number ${index} gives no wait`, () => {
    const headers = { 'x-death': deaths };
    assert.equal(tierWaitBefore(KIND, 2, { headers, deliveredAt: at(0) }), undefined);
  });
