/** Goal: one common error class opens it, anything else does not, and one good probe closes it. Method: sequences of ends, mocked timers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { CircuitBreaker, type CircuitBreakerOptions } from '../../src/work/circuitBreaker.ts';

const OPTIONS = { sampleSize: 10, failureRatio: 0.8, pauseMs: 100, longestPauseMs: 350 };

function after(
  ends: readonly (string | undefined)[],
  options: CircuitBreakerOptions | false = OPTIONS,
): CircuitBreaker {
  const circuitBreaker = new CircuitBreaker(options, () => undefined);
  for (const end of ends) circuitBreaker.record(end);
  return circuitBreaker;
}

const times = (count: number, end: string | undefined) => Array.from({ length: count }, () => end);

function mockTimers(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout'] });
}

test('eight of ten attempts that fail alike open it, with their error class, and nothing may be in flight', (t) => {
  mockTimers(t);
  const closed = after([...times(2, undefined), ...times(7, 'Down')]);
  assert.deepEqual([closed.state.type, closed.maxInFlight], ['closed', Infinity]);
  const open = after([...times(2, undefined), ...times(8, 'Down')]);
  assert.deepEqual(open.state, { type: 'open', pauseMs: 100, errorClass: 'Down' });
  assert.deepEqual([open.maxInFlight, open.openingCount], [0, 1]);
});

test('as many failures of several error classes are several faults, and leave it closed', () => {
  const ends = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'One' : 'Other'));
  assert.equal(after(ends).state.type, 'closed');
});

test('an ignored error counts as a success, a predicate that throws ignores none; switched off it never opens', (t) => {
  mockTimers(t);
  const record = (ignores: (error: unknown) => boolean) => {
    const circuitBreaker = new CircuitBreaker({ ...OPTIONS, ignores }, () => undefined);
    for (let count = 0; count < 50; count += 1)
      circuitBreaker.record('RangeError', new RangeError('own'));
    return circuitBreaker.state.type;
  };
  assert.equal(
    record((error) => error instanceof RangeError),
    'closed',
  );
  assert.equal(
    record((error) => error instanceof SyntaxError),
    'open',
  );
  assert.equal(
    record(() => {
      throw new Error('of the predicate');
    }),
    'open',
  );
  assert.equal(after(times(50, 'Down'), false).state.type, 'closed');
});

test('a failed probe doubles the pause up to the longest; a good one closes it with an empty sample', (t) => {
  mockTimers(t);
  const states: string[] = [];
  const circuitBreaker = new CircuitBreaker(OPTIONS, ({ type }) => states.push(type));
  for (const end of times(10, 'Down')) circuitBreaker.record(end);
  const openingCount = circuitBreaker.openingCount;
  circuitBreaker.record(undefined);
  assert.equal(circuitBreaker.state.type, 'open', 'an attempt from before decides nothing');
  let pauseMs = 100;
  for (const nextPauseMs of [200, 350, 350]) {
    t.mock.timers.tick(pauseMs - 1);
    assert.equal(circuitBreaker.state.type, 'open');
    t.mock.timers.tick(1);
    assert.deepEqual([circuitBreaker.state.type, circuitBreaker.maxInFlight], ['probing', 1]);
    circuitBreaker.record('Down');
    pauseMs = nextPauseMs;
    assert.deepEqual(circuitBreaker.state, { type: 'open', pauseMs, errorClass: 'Down' });
  }
  t.mock.timers.tick(pauseMs);
  assert.equal(circuitBreaker.hasOpenedSince(circuitBreaker.openingCount), false);
  circuitBreaker.record(undefined);
  assert.equal(circuitBreaker.maxInFlight, Infinity);
  assert.equal(circuitBreaker.hasOpenedSince(openingCount), true);
  for (const end of times(9, 'Down')) circuitBreaker.record(end);
  assert.equal(circuitBreaker.maxInFlight, Infinity);
  circuitBreaker.record('Down');
  assert.equal(circuitBreaker.maxInFlight, 0);
  const cycle = ['open', 'probing'];
  assert.deepEqual(states, [...cycle, ...cycle, ...cycle, ...cycle, 'closed', 'open']);
});

test('stopped while it is open it does not probe', (t) => {
  mockTimers(t);
  const circuitBreaker = after(times(10, 'Down'));
  circuitBreaker.stop();
  t.mock.timers.tick(1_000);
  assert.equal(circuitBreaker.state.type, 'open');
});

test('property: while fewer than the ratio of any sample fail alike it never opens', (t) => {
  mockTimers(t);
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
