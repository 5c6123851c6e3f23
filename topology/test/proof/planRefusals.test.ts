/** Goal: every way to declare nonsense has a code of its own. Method: one broken declaration for each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BrokerProfile,
  declareTopology,
  type KindOptions,
  planTopology,
  provePlan,
  TopologyError,
} from '@fit/topology';

const NEW: BrokerProfile = { version: '4.3.6', hasManagement: true };
const OLD: BrokerProfile = { version: '3.10.8', hasManagement: true };
const ONE: KindOptions = { key: 'job.one', queue: 'one', tiers: ['5s', '30s'] };
const TWO: KindOptions = { key: 'job.two', queue: 'two', tiers: ['5s'] };

type Broken = readonly [code: string, kinds: Record<string, unknown>, broker?: BrokerProfile];
const one = (change: object): Record<string, unknown> => ({ one: { ...ONE, ...change } });

const BROKEN: readonly Broken[] = [
  ['NO_KIND', {}],
  ['OPTION_UNKNOWN', one({ retries: 3 })],
  ['NAME_INVALID', one({ key: 'job.#' })],
  ['NAME_RESERVED', one({ queue: 'amq.one' })],
  ['NO_TIER', one({ tiers: [] })],
  ['TOO_MANY_TIERS', one({ tiers: Array.from({ length: 11 }, (_, tier) => tier + 1) })],
  ['TIERS_NOT_RISING', one({ tiers: ['30s', '5s'] })],
  ['DURATION_UNREADABLE', one({ tiers: ['soon'] })],
  ['DURATION_OUT_OF_RANGE', one({ tiers: [2 ** 32] })],
  ['COUNT_OUT_OF_RANGE', one({ maxLength: 0 })],
  ['DEADLINE_TOO_LONG', one({ deadline: '1h' })],
  ['ERROR_CLASS_INVALID', one({ nonRetryable: ['not a name'] })],
  ['LOAD_OUT_OF_RANGE', one({ load: { perSecond: -1, failureRatio: 0 } })],
  ['QUEUE_TYPE_UNKNOWN', one({ queueType: 'stream' })],
  ['UNSAFE_UNKNOWN', one({ unsafe: ['all'] })],
  ['UNSAFE_UNDECLARED', one({ queueType: 'classic' })],
  ['UNSAFE_UNUSED', one({ unsafe: ['classic'] })],
  ['BACKEND_UNKNOWN', one({ backend: 'plugin' })],
  ['BACKEND_CONFLICT', one({ backend: 'native', unsafe: ['drop-head'] })],
  ['KINDS_SHARE', { one: ONE, two: { ...TWO, key: 'job.one' } }],
  ['NAME_TAKEN', { one: ONE, two: { ...TWO, queue: 'one.dead' } }],
  ['PATH_WRONG', one({ key: 'one.r1' })],
  ['CRASH_LIMIT_TOO_LOW', one({ crashLimit: 2 })],
  [
    'RETURN_CAPACITY_EXCEEDED',
    one({ maxLength: 500, load: { perSecond: 100, failureRatio: 0.5 } }),
  ],
  ['PRIORITY_UNSUPPORTED', one({ priorities: ['normal', 'high'] }), OLD],
  ['PRIORITIES_INVALID', one({ priorities: ['high'] })],
  ['JITTER_OUT_OF_RANGE', one({ jitter: 2 })],
  ['NATIVE_UNSUPPORTED', one({ backend: 'native', tiers: ['5s', '10s'] }), OLD],
  ['NATIVE_NOT_LINEAR', one({ backend: 'native' })],
];

function faultsOf(kinds: Record<string, unknown>, broker: BrokerProfile) {
  try {
    const options = { exchange: 'jobs', kinds: kinds as Record<string, KindOptions> };
    const declaration = declareTopology(options);
    provePlan(declaration, planTopology(declaration, broker));
  } catch (error) {
    assert.ok(error instanceof TopologyError, String(error));
    return error.faults;
  }
  return [];
}

for (const [code, kinds, broker] of BROKEN)
  test(`${code} is refused with its subject and a remedy`, () => {
    const faults = faultsOf(kinds, broker ?? NEW);
    const own = faults.find((fault) => fault.code === code);
    assert.ok(own, `${code} wanted, found ${faults.map((fault) => fault.code).join(', ')}`);
    assert.notEqual(own.subject, '');
    assert.ok(own.remedy.length > 10, own.remedy);
  });

test('each has a code that no other has', () => {
  assert.equal(new Set(BROKEN.map(([code]) => code)).size, BROKEN.length);
  assert.ok(BROKEN.length >= 20);
});

test('the declarations that the broken plans are made from are accepted', () => {
  assert.deepEqual(faultsOf({ one: ONE, two: TWO }, NEW), []);
  assert.deepEqual(faultsOf({ one: ONE, two: TWO }, OLD), []);
});
