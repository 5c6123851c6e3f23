/** Goal: a dead letter is described without trust. Method: pure functions on headers that a worker or a client wrote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeDeath, fingerprint, readDeaths } from '@fit/topology';
import { DEFAULT } from '../support/declarations.ts';

const KIND = DEFAULT.kind.createWod;

test('failures that differ only in numbers and ids share one fingerprint', () => {
  assert.equal(fingerprint('TypeError', 'no 7'), fingerprint('TypeError', 'no 4711'));
  assert.equal(fingerprint('E', 'job deadbeef0123'), fingerprint('E', 'job 99'));
  assert.notEqual(fingerprint('E', 'user 7'), fingerprint('F', 'user 7'));
  assert.notEqual(fingerprint('E', 'user 7'), fingerprint('E', 'group 7'));
  assert.match(fingerprint('', ''), /^[0-9a-f]{12}$/);
});

test('the error that the worker wrote is taken, bounded; without one the cause stands in its place', () => {
  const headers = { 'death-cause': 'fatal', 'death-class': 'E', 'death-message': 'x'.repeat(600) };
  const written = describeDeath(KIND, KIND.key, headers);
  assert.deepEqual(
    [written.cause, written.errorClass, written.message.length],
    ['fatal', 'E', 500],
  );
  const bare = describeDeath(KIND, KIND.key, { 'death-cause': 'fatal', 'death-class': 7 });
  assert.deepEqual([bare.errorClass, bare.message], ['fatal', 'fatal']);
});

test('a record of x-death has its first time and its routing keys; nonsense is left out', () => {
  const record = { queue: 'q', reason: 'expired', count: 2 };
  const [death] = readDeaths({
    'x-death': [{ ...record, time: { '!': 'timestamp', value: 5 }, 'routing-keys': ['a', 7] }],
  });
  assert.deepEqual([death?.firstAtMs, death?.routingKeys], [5_000, ['a']]);
  const [odd] = readDeaths({ 'x-death': [{ ...record, count: Infinity, time: 'then' }] });
  assert.deepEqual([odd?.count, odd?.firstAtMs, odd?.routingKeys], [0, undefined, []]);
});
