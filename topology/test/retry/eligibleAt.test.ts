/** Goal: the wait in a queue counts from when a message could be delivered. Method: headers as brokers write them, and as no broker does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, eligibleAtMs, planTopology, waitQueue } from '@fit/topology';

const PLAN = planTopology(
  declareTopology({
    exchange: 'jobs',
    kinds: { mail: { key: 'job.mail', queue: 'mail', tiers: ['1s', '5s'] } },
  }),
  { version: '4.3.6', hasManagement: true },
);
const KIND = PLAN.kinds[0]!;
const PUBLISHED = 1_700_000_000_500;

function expired(tier: number, seconds: unknown) {
  const time = { '!': 'timestamp', value: seconds };
  return { queue: waitQueue(KIND, tier), reason: 'expired', count: 1, time };
}

test('a first delivery counts from its publish, with or without a stamp', () => {
  const headers = {};
  for (const publishedAtMs of [PUBLISHED, undefined])
    assert.equal(eligibleAtMs(KIND, { attempt: 1, headers, publishedAtMs }), publishedAtMs);
});

test('a retry counts from the end of the wait that it has just left, not from an earlier one', () => {
  const headers = {
    'x-death': [
      expired(2, 1_700_000_020),
      { queue: 'mail', reason: 'rejected', count: 2, time: { value: 1_700_000_019 } },
      expired(1, 1_700_000_010),
    ],
  };
  const at = (attempt: number) =>
    eligibleAtMs(KIND, { attempt, headers, publishedAtMs: PUBLISHED });
  assert.deepEqual([at(2), at(3)], [1_700_000_010_000, 1_700_000_020_000]);
});

test('published again behind its spent tiers: as new', () => {
  const arrival = { attempt: 3, headers: {}, publishedAtMs: PUBLISHED };
  assert.equal(eligibleAtMs(KIND, arrival), PUBLISHED);
});

test('a republished dead letter counts from its republishing, not from its first publish', () => {
  const at = (replayAt: unknown, publishedAtMs: number | undefined = PUBLISHED) =>
    eligibleAtMs(KIND, { attempt: 1, headers: { 'replay-at': replayAt }, publishedAtMs });
  assert.equal(at(PUBLISHED + 86_400_000), PUBLISHED + 86_400_000);
  assert.equal(at(PUBLISHED - 1), PUBLISHED, 'published again behind a replay');
  for (const nonsense of ['soon', Number.NaN, Number.POSITIVE_INFINITY, null])
    assert.equal(at(nonsense), PUBLISHED);
});

test('with the native back end, which records no waits, the time of a retry is undefined', () => {
  const native = { ...KIND, backend: 'native' as const };
  const arrival = { attempt: 2, headers: {}, publishedAtMs: PUBLISHED };
  assert.equal(eligibleAtMs(native, arrival), undefined);
});

test('hostile records are as none', () => {
  for (const records of ['text', [null, 1, []], [expired(1, 'soon')], [expired(1, -1)]]) {
    const arrival = { attempt: 2, headers: { 'x-death': records }, publishedAtMs: PUBLISHED };
    assert.equal(eligibleAtMs(KIND, arrival), PUBLISHED, JSON.stringify(records));
  }
});
