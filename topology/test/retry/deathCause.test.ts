/** Goal: the cause of each dead letter, on each release series of the broker. Method: headers as the brokers write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf, CAUSE_HEADER, deathCause } from '@fit/topology';
import fc from 'fast-check';
import { BROKER_SERIES, diedOnce, EXHAUSTED, FOURTH_DELIVERY } from '../support/deathHeaders.ts';
import { DEFAULT } from '../support/declarations.ts';

const kind = DEFAULT.kinds[0]!;
const LAST_KEY = 'createWodQueue.r3';

for (const series of BROKER_SERIES) {
  test(`${series}: a message that is rejected at its last tier is exhausted`, () => {
    assert.equal(deathCause(kind, LAST_KEY, EXHAUSTED[series]), 'exhausted');
  });

  test(`${series}: each final death in the main queue has a cause of its own`, () => {
    for (const [reason, cause] of [
      ['delivery_limit', 'crashed'],
      ['maxlen', 'overflowed'],
      ['expired', 'expired'],
    ] as const) {
      const headers = diedOnce(series, 'createWodQueue', reason);
      assert.equal(deathCause(kind, 'job.createWod', headers), cause);
    }
  });

  test(`${series}: a message that is rejected with an earlier key has the cause unknown, because a binding is missing`, () => {
    assert.equal(deathCause(kind, 'createWodQueue.r2', EXHAUSTED[series]), 'unknown');
    assert.equal(deathCause(kind, 'other.key', EXHAUSTED[series]), 'unknown');
    assert.equal(deathCause(kind, 'job.createWod', EXHAUSTED[series]), 'unknown');
  });

  test(`${series}: a message that expired in a wait queue has the cause unknown, because its return binding is missing`, () => {
    const headers = diedOnce(series, 'createWodQueue.wait.1.5s', 'expired');
    assert.equal(deathCause(kind, 'createWodQueue.r1', headers), 'unknown');
    assert.equal(deathCause(kind, LAST_KEY, FOURTH_DELIVERY[series]), 'unknown');
  });

  test(`${series}: the fourth delivery is the fourth attempt, and x-death agrees`, () => {
    const attempt = attemptOf(kind, LAST_KEY, FOURTH_DELIVERY[series]);
    assert.equal(attempt?.number, 4);
    assert.equal(attempt.agreesWithDeaths, true);
  });
}

test('rejected with a key of more tiers than are declared now is exhausted, too', () => {
  assert.equal(deathCause(kind, 'createWodQueue.r9', EXHAUSTED['4.3.6']), 'exhausted');
});

test('native: there is one key, and a rejection is the last attempt', () => {
  const native = { ...kind, backend: 'native' } as const;
  const headers = diedOnce('4.3.6', 'createWodQueue', 'rejected');
  assert.equal(deathCause(native, 'job.createWod', headers), 'exhausted');
});

test("the worker's header decides where the broker recorded no death, and only with a cause that a worker writes", () => {
  for (const own of ['fatal', 'malformed', 'crashed'])
    assert.equal(deathCause(kind, 'job.createWod', { [CAUSE_HEADER]: own }), own);
  for (const forged of ['exhausted', 'done', '', 7, null, ['fatal']])
    assert.equal(deathCause(kind, 'job.createWod', { [CAUSE_HEADER]: forged }), 'unknown');
});

test('where the broker recorded a death, a client wrote the header, which does not count', () => {
  for (const series of BROKER_SERIES) {
    const headers = diedOnce(series, 'createWodQueue', 'delivery_limit');
    for (const forged of ['fatal', 'malformed'])
      assert.equal(
        deathCause(kind, 'job.createWod', { ...headers, [CAUSE_HEADER]: forged }),
        'crashed',
      );
  }
});

test('an unknown reason, or none, gives the cause unknown', () => {
  assert.equal(deathCause(kind, LAST_KEY, {}), 'unknown');
  assert.equal(deathCause(kind, LAST_KEY, diedOnce('4.3.6', 'createWodQueue', 'new')), 'unknown');
  assert.equal(deathCause(kind, LAST_KEY, diedOnce('4.3.6', 'other', 'rejected')), 'unknown');
});

test('property: any headers have a cause', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), fc.anything(), (headers, deaths) => {
      assert.ok(deathCause(kind, LAST_KEY, { ...headers, 'x-death': deaths }).length > 0);
    }),
  );
});
