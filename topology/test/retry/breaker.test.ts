/** Goal: one common cause opens it, anything else does not, and one good probe closes it. Method: sequences of ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CircuitBreaker, type CircuitBreakerOptions } from '@fit/topology';
import fc from 'fast-check';

const OPTIONS = { windowCount: 10, failureRatio: 0.8, pauseMs: 100, longestPauseMs: 350 };

function after(
  ends: readonly (string | undefined)[],
  options: CircuitBreakerOptions = OPTIONS,
): CircuitBreaker {
  const breaker = new CircuitBreaker(options);
  for (const end of ends) breaker.record(end);
  return breaker;
}

const times = (count: number, end: string | undefined) => Array.from({ length: count }, () => end);

test('eight of ten that fail alike open it, with the class that did', () => {
  assert.equal(after([...times(2, undefined), ...times(7, 'Down')]).state.type, 'closed');
  assert.deepEqual(after([...times(2, undefined), ...times(8, 'Down')]).state, {
    type: 'open',
    pauseMs: 100,
    errorClass: 'Down',
  });
});

test('as many failures of several classes are several faults, and leave it closed', () => {
  const ends = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'One' : 'Other'));
  assert.equal(after(ends).state.type, 'closed');
});

test('an ignored class counts as a success', () => {
  assert.equal(after(times(50, 'Own'), { ...OPTIONS, ignored: ['Own'] }).state.type, 'closed');
});

test('a failed probe doubles the pause up to the longest; a good one closes it with a clean window', () => {
  const breaker = after(times(10, 'Down'));
  assert.equal(breaker.record(undefined).type, 'open', 'an end from before decides nothing');
  for (const pauseMs of [200, 350, 350]) {
    assert.equal(breaker.probe().type, 'probing');
    assert.deepEqual(breaker.record('Down'), { type: 'open', pauseMs, errorClass: 'Down' });
  }
  breaker.probe();
  assert.deepEqual(breaker.record(undefined), { type: 'closed' });
  for (const end of times(9, 'Down')) assert.equal(breaker.record(end).type, 'closed');
  assert.equal(breaker.record('Down').type, 'open');
});

test('property: while fewer than the ratio of any window fail alike it never opens', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('A', 'B', undefined), { maxLength: 100 }), (ends) => {
      const isFull = (from: number, name: string) =>
        from + 10 <= ends.length &&
        ends.slice(from, from + 10).filter((end) => end === name).length >= 8;
      const isAllowed = ends.some((_, from) => isFull(from, 'A') || isFull(from, 'B'));
      assert.equal(after(ends).state.type === 'open', isAllowed);
    }),
  );
});
