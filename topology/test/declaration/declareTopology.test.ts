/** Goal: a bad declaration is refused with all its faults at once. Method: one bad option at a time, then all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Duration, declareTopology, type KindOptions, TopologyError } from '@fit/topology';

const GOOD: KindOptions = { key: 'job.one', queue: 'one', tiers: ['5s', '30s'] };

function faultsOf(kind: Partial<KindOptions>, exchange = 'jobs'): string[] {
  try {
    declareTopology({ exchange, kinds: { one: { ...GOOD, ...kind } } });
  } catch (error) {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'DECLARATION_INVALID');
    for (const { remedy } of error.faults) assert.notEqual(remedy, '');
    return error.faults.map(({ code, culprit }) => `${code} ${culprit}`);
  }
  return [];
}

test('each fault has its code and names its culprit', () => {
  const table: [Partial<KindOptions>, string][] = [
    [{ key: 'job.#' }, 'NAME_INVALID one.key'],
    [{ key: 'job.*' }, 'NAME_INVALID one.key'],
    [{ key: '' }, 'NAME_INVALID one.key'],
    [{ queue: 'a b' }, 'NAME_INVALID one.queue'],
    [{ queue: 'x'.repeat(101) }, 'NAME_INVALID one.queue'],
    [{ tiers: [] }, 'NO_TIER one.tiers'],
    [{ tiers: ['5s', '5s'] }, 'TIERS_NOT_RISING one.tiers[1]'],
    [{ tiers: ['5s', '1s'] }, 'TIERS_NOT_RISING one.tiers[1]'],
    [{ tiers: ['soon' as Duration] }, 'DURATION_UNREADABLE one.tiers[0]'],
    [{ tiers: [1.5] }, 'DURATION_UNREADABLE one.tiers[0]'],
    [{ tiers: [Number.NaN] }, 'DURATION_UNREADABLE one.tiers[0]'],
    [{ tiers: [0] }, 'DURATION_OUT_OF_RANGE one.tiers[0]'],
    [{ tiers: [-1] }, 'DURATION_OUT_OF_RANGE one.tiers[0]'],
    [{ tiers: [2 ** 32] }, 'DURATION_OUT_OF_RANGE one.tiers[0]'],
    [{ messageTtl: '0s' }, 'DURATION_OUT_OF_RANGE one.messageTtl'],
    [{ maxLength: 0 }, 'COUNT_OUT_OF_RANGE one.maxLength'],
    [{ maxLength: Number.NaN }, 'COUNT_OUT_OF_RANGE one.maxLength'],
    [{ crashLimit: 2.5 }, 'COUNT_OUT_OF_RANGE one.crashLimit'],
  ];
  for (const [kind, expected] of table) assert.deepEqual(faultsOf(kind), [expected]);
});

test('all faults are reported at once', () => {
  const faults = faultsOf({ key: '#', queue: '', tiers: [0], maxLength: 0, crashLimit: 0 }, '');
  assert.deepEqual(
    faults.map((fault) => fault.split(' ')[1]),
    ['exchange', 'one.key', 'one.queue', 'one.tiers[0]', 'one.maxLength', 'one.crashLimit'],
  );
});

test('no kind at all is a fault', () => {
  assert.throws(() => declareTopology({ exchange: 'jobs', kinds: {} }), {
    message: /NO_KIND kinds/,
  });
});

test('a good one is complete and frozen', () => {
  const declaration = declareTopology({ exchange: 'jobs', kinds: { one: GOOD } });
  const [kind] = declaration.kinds;
  assert.deepEqual(kind, {
    ...{ kind: 'one', key: 'job.one', queue: 'one', tiersMs: [5_000, 30_000] },
    ...{ maxLength: 10_000, crashLimit: 5, messageTtlMs: undefined, dropsHead: false },
  });
  for (const part of [declaration, declaration.kinds, kind, kind.tiersMs])
    assert.ok(Object.isFrozen(part));
});

test('kinds are literal types: an unknown one does not compile', () => {
  const declaration = declareTopology({ exchange: 'jobs', kinds: { one: GOOD } });
  const kinds: readonly 'one'[] = declaration.kinds.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['one']);
  // @ts-expect-error: 'two' is not declared
  const unknown: readonly 'two'[] = kinds;
  assert.deepEqual(unknown, ['one']);
  // @ts-expect-error: a duration needs one of the four units
  assert.deepEqual(faultsOf({ tiers: ['5d'] }), ['DURATION_UNREADABLE one.tiers[0]']);
  // @ts-expect-error: what may be lost is a closed list
  assert.deepEqual(faultsOf({ unsafe: ['everything'] }), []);
});
