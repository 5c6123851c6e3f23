/** Goal: each difference of two traces is described in words. Method: one trace, and changes to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeDeadLetter, ProbeDelivery, ProbeTrace } from '../../src/verify/probeTrace.ts';
import { compareTraces } from '../../src/verify/probeTrace.ts';

const deliveryAt = (
  atMs: number,
  attempt: number,
  change: Partial<ProbeDelivery> = {},
): ProbeDelivery => ({
  atMs,
  queue: 'one',
  key: `r${attempt - 1}`,
  attempt,
  waitQueue: attempt === 1 ? undefined : `one.wait.${attempt - 1}`,
  ...change,
});
const deadLetterAt = (atMs: number, change: Partial<ProbeDeadLetter> = {}): ProbeDeadLetter => ({
  atMs,
  queue: 'one.dead',
  cause: 'exhausted',
  isProbe: true,
  ...change,
});
const trace = (
  deliveries: readonly ProbeDelivery[],
  deadLetters: readonly ProbeDeadLetter[] = [],
): ProbeTrace => ({
  published: 'confirmed',
  deliveries,
  deadLetters,
});

const EXPECTED = trace([deliveryAt(0, 1), deliveryAt(50, 2)], [deadLetterAt(50)]);
const differences = (seen: ProbeTrace, toleranceMs = 100) =>
  compareTraces(EXPECTED, seen, toleranceMs).differences.join('; ');

test('as planned: the delay of the latest event is reported, not the sum of delays', () => {
  const seen = trace([deliveryAt(10, 1), deliveryAt(90, 2)], [deadLetterAt(95)]);
  assert.deepEqual(compareTraces(EXPECTED, seen, 100), { differences: [], lateByMs: 30 });
});

test('queues, keys, attempts and wait queues that differ', () => {
  const second = (change: Partial<ProbeDelivery>) =>
    trace([deliveryAt(0, 1), deliveryAt(50, 2, change)], [deadLetterAt(50)]);
  assert.equal(differences(second({ queue: 'two' })), 'delivery 2: queue two instead of one');
  assert.equal(differences(second({ key: 'r9' })), 'delivery 2: key r9 instead of r1');
  assert.equal(differences(second({ attempt: 3 })), 'delivery 2: attempt 3 instead of 2');
  assert.equal(
    differences(second({ waitQueue: undefined })),
    'delivery 2: wait queue none instead of one.wait.1',
  );
});

test('missing and extra deliveries and dead letters', () => {
  const seen = trace([deliveryAt(0, 1)], [deadLetterAt(5, { cause: 'unknown' })]);
  assert.equal(
    differences(seen),
    'delivery 2: did not come; dead letter: cause unknown instead of exhausted',
    'without a delay: it is another step',
  );
  const twice = trace(
    [deliveryAt(0, 1), deliveryAt(50, 2), deliveryAt(51, 2)],
    [deadLetterAt(51), deadLetterAt(52)],
  );
  assert.equal(
    differences(twice),
    'delivery 3: from one, is one too many; dead letter: exhausted in one.dead, is one too many',
  );
  assert.equal(
    differences(trace([deliveryAt(0, 1), deliveryAt(50, 2)])),
    'dead letter: did not come',
  );
  assert.equal(
    differences(
      trace([deliveryAt(0, 1), deliveryAt(50, 2)], [deadLetterAt(50, { isProbe: false })]),
    ),
    'dead letter: not the oldest message',
  );
});

test('an unexpected answer to the publish', () => {
  assert.equal(
    differences({ ...EXPECTED, published: 'returned' }),
    'publish: answer returned instead of confirmed',
  );
  assert.equal(
    differences({ ...EXPECTED, published: undefined }),
    'publish: answer none instead of confirmed',
  );
});

test('an event is late beyond the tolerance, and early before its tier', () => {
  const at = (secondMs: number) =>
    trace([deliveryAt(0, 1), deliveryAt(secondMs, 2)], [deadLetterAt(secondMs)]);
  assert.equal(differences(at(150)), '');
  assert.equal(differences(at(151)), 'delivery 2: 101 ms late');
  assert.equal(differences(at(48)), '', 'clocks round');
  assert.equal(differences(at(40)), 'delivery 2: 10 ms too early');
});

test('a message that was due before a consumer opened is not late, but can be early', () => {
  const at = (secondMs: number) =>
    trace(
      [deliveryAt(0, 1), deliveryAt(secondMs, 2, { consumedFromMs: 300 })],
      [deadLetterAt(secondMs)],
    );
  assert.deepEqual(compareTraces(EXPECTED, at(320), 100), { differences: [], lateByMs: 20 });
  assert.equal(differences(at(401)), 'delivery 2: 101 ms late');
  assert.equal(differences(at(20)), 'delivery 2: 30 ms too early');
});
