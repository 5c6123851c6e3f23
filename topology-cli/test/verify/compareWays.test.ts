/** Goal: each way to differ is told in words. Method: one way, and changes to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWays } from '../../src/verify/compareWays.ts';
import type { Visit, VisitedLetter, Way } from '../../src/verify/way.ts';

const visit = (atMs: number, attempt: number, change: Partial<Visit> = {}): Visit => ({
  atMs,
  queue: 'one',
  key: `r${attempt - 1}`,
  attempt,
  via: attempt === 1 ? undefined : `one.wait.${attempt - 1}`,
  ...change,
});
const letter = (atMs: number, change: Partial<VisitedLetter> = {}): VisitedLetter => ({
  atMs,
  queue: 'one.dead',
  cause: 'exhausted',
  isProbe: true,
  ...change,
});
const way = (visits: readonly Visit[], letters: readonly VisitedLetter[] = []): Way => ({
  published: 'confirmed',
  visits,
  letters,
});

const EXPECTED = way([visit(0, 1), visit(50, 2)], [letter(50)]);
const told = (seen: Way, toleranceMs = 100) =>
  compareWays(EXPECTED, seen, toleranceMs).differences.join('; ');

test('as planned: the delay of the latest step is told, not their sum', () => {
  const seen = way([visit(10, 1), visit(90, 2)], [letter(95)]);
  assert.deepEqual(compareWays(EXPECTED, seen, 100), { differences: [], lateByMs: 30 });
});

test('places, keys, attempts and the way there', () => {
  const second = (change: Partial<Visit>) => way([visit(0, 1), visit(50, 2, change)], [letter(50)]);
  assert.equal(told(second({ queue: 'two' })), 'delivery 2: queue two instead of one');
  assert.equal(told(second({ key: 'r9' })), 'delivery 2: key r9 instead of r1');
  assert.equal(told(second({ attempt: 3 })), 'delivery 2: attempt 3 instead of 2');
  assert.equal(
    told(second({ via: undefined })),
    'delivery 2: wait queue none instead of one.wait.1',
  );
});

test('too few and too many', () => {
  const seen = way([visit(0, 1)], [letter(5, { cause: 'unknown' })]);
  assert.equal(
    told(seen),
    'delivery 2: did not come; letter: cause unknown instead of exhausted',
    'without a delay: it is another step',
  );
  const twice = way([visit(0, 1), visit(50, 2), visit(51, 2)], [letter(51), letter(52)]);
  assert.equal(
    told(twice),
    'delivery 3: from one, is one too many; letter: exhausted in one.dead, is one too many',
  );
  assert.equal(told(way([visit(0, 1), visit(50, 2)])), 'letter: did not come');
  assert.equal(
    told(way([visit(0, 1), visit(50, 2)], [letter(50, { isProbe: false })])),
    'letter: not of the oldest message',
  );
});

test('the answer to the publish', () => {
  assert.equal(
    told({ ...EXPECTED, published: 'returned' }),
    'publish: answer returned instead of confirmed',
  );
  assert.equal(
    told({ ...EXPECTED, published: undefined }),
    'publish: answer none instead of confirmed',
  );
});

test('late is beyond the tolerance; early is before the tier', () => {
  const at = (secondMs: number) => way([visit(0, 1), visit(secondMs, 2)], [letter(secondMs)]);
  assert.equal(told(at(150)), '');
  assert.equal(told(at(151)), 'delivery 2: 101 ms late');
  assert.equal(told(at(48)), '', 'clocks round');
  assert.equal(told(at(40)), 'delivery 2: 10 ms too early');
});

test('what nobody was there to take is not late, but still early', () => {
  const at = (secondMs: number) =>
    way([visit(0, 1), visit(secondMs, 2, { attendedFromMs: 300 })], [letter(secondMs)]);
  assert.deepEqual(compareWays(EXPECTED, at(320), 100), { differences: [], lateByMs: 20 });
  assert.equal(told(at(401)), 'delivery 2: 101 ms late');
  assert.equal(told(at(20)), 'delivery 2: 30 ms too early');
});
