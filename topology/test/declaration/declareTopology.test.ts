/** Goal: a bad declaration is refused with all its faults at once. Method: one bad option at a time, then all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Duration,
  declareTopology,
  type KindOptions,
  TopologyError,
  tierMs,
} from '@fit/topology';

const GOOD: KindOptions = { key: 'job.one', queue: 'one', tiers: ['5s', '30s'] };

function faultsOf(kind: Partial<KindOptions>, exchange = 'jobs'): string[] {
  try {
    declareTopology({ exchange, kinds: { one: { ...GOOD, ...kind } } });
  } catch (error) {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'DECLARATION_INVALID');
    for (const { remedy } of error.faults) assert.notEqual(remedy, '');
    return error.faults.map(({ code, subject }) => `${code} ${subject}`);
  }
  return [];
}

test('each fault has its code and names its subject', () => {
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
    [{ key: 'amq.job' }, 'NAME_RESERVED one.key'],
    [{ queue: 'amq.one' }, 'NAME_RESERVED one.queue'],
    [{ tiers: Array.from({ length: 11 }, (_, tier) => tier + 1) }, 'TOO_MANY_TIERS one.tiers'],
    [{ deadline: '30m' }, 'DEADLINE_TOO_LONG one.deadline'],
    [{ deadline: '0s' }, 'DURATION_OUT_OF_RANGE one.deadline'],
    [{ nonRetryable: ['Range Error'] }, 'ERROR_CLASS_INVALID one.nonRetryable[0]'],
    [{ load: { perSecond: 0, failureRatio: 0.5 } }, 'LOAD_OUT_OF_RANGE one.load'],
    [{ load: { perSecond: 1, failureRatio: 1.5 } }, 'LOAD_OUT_OF_RANGE one.load'],
    [{ queueType: 'classic' }, 'UNSAFE_UNDECLARED one.queueType'],
    [{ unsafe: ['classic'] }, 'UNSAFE_UNUSED one.unsafe'],
    [{ queueType: 'stream' as 'classic' }, 'QUEUE_TYPE_UNKNOWN one.queueType'],
    [{ backend: 'plugin' as 'native' }, 'BACKEND_UNKNOWN one.backend'],
    [{ backend: 'native', unsafe: ['drop-head'] }, 'BACKEND_CONFLICT one.backend'],
  ];
  for (const [kind, expected] of table) assert.deepEqual(faultsOf(kind), [expected]);
});

test('tiers in any order are taken where that is declared', () => {
  assert.deepEqual(faultsOf({ tiers: ['5s', '1s', '1s'], tierOrder: 'any' }), []);
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
    kind: 'one',
    key: 'job.one',
    keys: ['job.one'],
    queue: 'one',
    names: {},
    tiers: ['5s', '30s'],
    tiersMs: [5_000, 30_000],
    jitter: 0,
    maxLength: 10_000,
    crashLimit: 5,
    messageTtlMs: undefined,
    deadlineMs: 60_000,
    nonRetryable: [],
    priorities: [],
    load: undefined,
    backend: 'tiers',
    queueType: 'quorum',
    dropsHead: false,
  });
  assert.equal(declaration.kind.one, kind);
  for (const part of [declaration, declaration.kinds, declaration.kind, kind, kind.tiersMs])
    assert.ok(Object.isFrozen(part));
});

const TWO = declareTopology({
  exchange: 'jobs',
  kinds: {
    one: { key: 'job.one', queue: 'one', tiers: ['5s', '30s'], maxLength: 500 },
    two: { key: 'job.two', queue: 'two', tiers: ['1m'], crashLimit: 7 },
  },
});

test('kinds, keys, tiers and limits are literal types: an unknown one does not compile', () => {
  const key: 'job.one' = TWO.kind.one.key;
  const queue: 'two' = TWO.kind.two.queue;
  const limits: [500, 7] = [TWO.kind.one.maxLength, TWO.kind.two.crashLimit];
  const names: readonly ('one' | 'two')[] = TWO.kinds.map(({ kind }) => kind);
  assert.deepEqual([key, queue, limits, names], ['job.one', 'two', [500, 7], ['one', 'two']]);
  assert.equal(tierMs(TWO.kind.one, '30s'), 30_000);
  // @ts-expect-error: 'three' is not declared
  assert.equal(TWO.kind.three, undefined);
  // @ts-expect-error: the key of one is another
  const wrongKey: 'job.two' = TWO.kind.one.key;
  // @ts-expect-error: one has no tier of a minute
  assert.equal(tierMs(TWO.kind.one, '1m'), 60_000);
  // @ts-expect-error: the limit is 500
  const wrongLimit: 600 = TWO.kind.one.maxLength;
  // @ts-expect-error: two left its limit open, so it is any number
  const openLimit: 10_000 = TWO.kind.two.maxLength;
  assert.deepEqual([wrongKey, wrongLimit, openLimit], ['job.one', 500, 10_000]);
});

test('a duration, an option or an unsafe that does not exist does not compile', () => {
  // @ts-expect-error: a duration needs one of the five units
  assert.deepEqual(faultsOf({ tiers: ['5w'] }), ['DURATION_UNREADABLE one.tiers[0]']);
  // @ts-expect-error: what may be lost is a closed list
  assert.deepEqual(faultsOf({ unsafe: ['everything'] }), ['UNSAFE_UNKNOWN one.unsafe']);
  // @ts-expect-error: a misspelt option
  assert.deepEqual(faultsOf({ tires: ['5s'] }), ['OPTION_UNKNOWN one.tires']);
});

test('a missing option is a fault with its name, as any other', () => {
  const refused = (options: unknown, pattern: RegExp) => {
    assert.throws(
      () => declareTopology(options as never),
      (error: Error) => error.name === 'TopologyError' && pattern.test(error.message),
    );
  };
  for (const nothing of [undefined, null, {}]) refused(nothing, /NAME_INVALID exchange[^]*NO_KIND/);
  refused({ exchange: 'jobs', kinds: undefined }, /NO_KIND/);
  for (const options of [undefined, null, 'one'])
    refused({ exchange: 'jobs', kinds: { one: options } }, /OPTIONS_MISSING one: is no object/);
  refused({ exchange: 'jobs', kinds: { one: {} } }, /NAME_INVALID one.key[^]*NO_TIER one.tiers/);
});
