/** Goal: crashes are told from plain retries on every broker line. Method: the counts that each line was seen to send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BrokerProfile,
  crashesOf,
  isSuspect,
  type PlannedKind,
  planTopology,
} from '@fit/topology';
import { DEFAULT } from '../support/declarations.ts';

const on = (version: string): BrokerProfile => ({ version, hasManagement: true });
const KIND = planTopology(DEFAULT, on('4.3.6')).kinds[0]!;
const NATIVE: PlannedKind = { ...KIND, backend: 'native' };

function headers(deliveryCount: number | undefined, rejectionCount: number) {
  const count = deliveryCount === undefined ? {} : { 'x-delivery-count': deliveryCount };
  const death = { queue: KIND.queue, reason: 'rejected', count: rejectionCount };
  return rejectionCount === 0 ? count : { ...count, 'x-death': [death] };
}

test('3.10 counts anew at each hop: nothing is taken off for rejections', () => {
  assert.equal(crashesOf(on('3.10.8'), KIND, headers(2, 3)), 2);
  assert.equal(crashesOf(on('3.10.8'), KIND, headers(undefined, 3)), 0);
});

test('4.0 and 4.3: what was rejected is taken off, and it never falls below zero', () => {
  assert.equal(crashesOf(on('4.0.5'), KIND, headers(3, 3)), 0);
  assert.equal(crashesOf(on('4.0.5'), KIND, headers(5, 3)), 2);
  assert.equal(crashesOf(on('4.3.6'), KIND, headers(1, 3)), 0);
});

test('a hostile count is no crash', () => {
  for (const count of ['9', -1, 1.5, Number.NaN, null, [7]])
    assert.equal(crashesOf(on('4.3.6'), KIND, { 'x-delivery-count': count }), 0, String(count));
});

test('redelivered alone makes a suspect, save where each retry is marked so', () => {
  const first = { headers: headers(undefined, 0), isRedelivered: true };
  const later = { headers: headers(undefined, 2), isRedelivered: true };
  for (const version of ['3.10.8', '4.0.5', '4.3.6'])
    assert.equal(isSuspect(on(version), KIND, first), true, version);
  assert.equal(isSuspect(on('3.10.8'), KIND, later), true);
  assert.equal(isSuspect(on('4.0.5'), KIND, { ...later, headers: headers(2, 2) }), false);
  assert.equal(isSuspect(on('4.3.6'), KIND, later), true);
});

test('a count without a mark makes a suspect; neither makes none', () => {
  const crashed = { headers: headers(1, 0), isRedelivered: false };
  assert.equal(isSuspect(on('4.3.6'), KIND, crashed), true);
  assert.equal(isSuspect(on('4.3.6'), KIND, { ...crashed, headers: {} }), false);
});

test('the native back end counts failed attempts alike: nothing can be told', () => {
  assert.equal(crashesOf(on('4.3.6'), NATIVE, headers(3, 0)), 0);
  assert.equal(
    isSuspect(on('4.3.6'), NATIVE, { headers: headers(3, 0), isRedelivered: true }),
    false,
  );
});
