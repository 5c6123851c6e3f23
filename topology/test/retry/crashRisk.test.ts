/** Goal: crashes are distinguished from retries on every release series. Method: the counts that each series was seen to send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BrokerProfile,
  crashesOf,
  crashRisk,
  type PlannedKind,
  planTopology,
  type RedeliveryEvidence,
} from '@fit/topology';
import { DEFAULT } from '../support/declarations.ts';

const on = (version: string): BrokerProfile => ({ version, hasManagement: true });
const KIND = planTopology(DEFAULT, on('4.3.6')).kinds[0]!;
const NATIVE: PlannedKind = { ...KIND, backend: 'native' };
const CLASSIC: PlannedKind = { ...KIND, queueType: 'classic' };
const LINES = ['3.10.8', '4.0.5', '4.3.6'];

/** A redelivery, as the broker marks and counts it. */
function evidence(count: number | undefined, rejectionCount: number): RedeliveryEvidence {
  const death = { queue: KIND.queue, reason: 'rejected', count: rejectionCount };
  const headers = {
    'x-delivery-count': count,
    'x-death': rejectionCount === 0 ? undefined : [death],
  };
  const routingKey = rejectionCount === 0 ? KIND.key : `${KIND.queue}.r${rejectionCount}`;
  return { headers, routingKey, isRedelivered: true };
}

test('3.10 counts anew at each hop: nothing is taken off for rejections', () => {
  assert.equal(crashesOf(on('3.10.8'), KIND, evidence(2, 3)), 2);
  assert.equal(crashesOf(on('3.10.8'), KIND, evidence(undefined, 3)), 0);
});

test('4.0 to 4.2 count rejections as well: they are taken off, and it never falls below zero', () => {
  assert.equal(crashesOf(on('4.0.5'), KIND, evidence(3, 3)), 0);
  assert.equal(crashesOf(on('4.0.5'), KIND, evidence(5, 3)), 2);
  assert.equal(crashesOf(on('4.0.5'), KIND, evidence(1, 3)), 0);
});

test('from 4.3 on the count includes no rejections, and is kept from queue to queue', () => {
  assert.equal(crashesOf(on('4.3.6'), KIND, evidence(3, 1)), 3);
  assert.equal(crashesOf(on('4.3.6'), KIND, evidence(1, 3)), 1);
});

test('x-death that a client sent subtracts nothing, because the routing key shows no rejections', () => {
  const forged = { ...evidence(4, 9), routingKey: KIND.key };
  assert.equal(crashesOf(on('4.0.5'), KIND, forged), 4);
});

test('a count without the mark of a redelivery is a client’s', () => {
  for (const version of LINES) {
    const forged = { ...evidence(5, 0), isRedelivered: false };
    assert.equal(crashesOf(on(version), KIND, forged), 0, version);
    assert.equal(crashRisk(on(version), KIND, forged, 0), 'none', version);
  }
});

test('a hostile count is no crash', () => {
  for (const count of ['9', -1, 1.5, Number.NaN, null, [7]]) {
    const hostile = { ...evidence(undefined, 0), headers: { 'x-delivery-count': count } };
    assert.equal(crashesOf(on('4.3.6'), KIND, hostile), 0, String(count));
  }
});

test('a message is returned after one crash, suspect after two, and nearLimit close to the crash limit', () => {
  for (const version of LINES) {
    const risks = [0, 1, 2, 3, 4, 5].map((count) =>
      crashRisk(on(version), KIND, evidence(count, 0), 0),
    );
    const wanted = ['none', 'redelivered', 'suspect', 'suspect', 'nearLimit', 'nearLimit'];
    assert.deepEqual(risks, wanted, version);
  }
});

test('lost connections of this process make no suspect, but the broker counts them against the limit', () => {
  assert.equal(crashRisk(on('4.3.6'), KIND, evidence(3, 0), 3), 'none');
  assert.equal(crashRisk(on('4.3.6'), KIND, evidence(3, 0), 2), 'redelivered');
  assert.equal(crashRisk(on('4.3.6'), KIND, evidence(3, 0), 1), 'suspect');
  assert.equal(crashRisk(on('4.3.6'), KIND, evidence(4, 0), 4), 'nearLimit');
});

test('a small limit leaves no room for suspects: whoever is at it runs alone', () => {
  const risks = (crashLimit: number) =>
    [1, 2, 3].map((count) =>
      crashRisk(on('4.3.6'), { ...KIND, crashLimit }, evidence(count, 0), 0),
    );
  assert.deepEqual(risks(1), ['nearLimit', 'nearLimit', 'nearLimit']);
  assert.deepEqual(risks(2), ['redelivered', 'nearLimit', 'nearLimit']);
  assert.deepEqual(risks(3), ['redelivered', 'nearLimit', 'nearLimit']);
  assert.deepEqual(risks(4), ['redelivered', 'suspect', 'nearLimit']);
});

test('retries are no crash risk on any release series', () => {
  assert.equal(crashRisk(on('4.0.5'), KIND, evidence(3, 3), 0), 'none');
  const unmarked = { ...evidence(undefined, 3), isRedelivered: false };
  for (const version of ['3.10.8', '4.3.6'])
    assert.equal(crashRisk(on(version), KIND, unmarked, 0), 'none', version);
});

test('a classic queue does not count: a redelivery is a suspect, unless this process lost it itself', () => {
  const forged = evidence(9, 0);
  assert.equal(crashesOf(on('4.3.6'), CLASSIC, forged), 1);
  assert.equal(crashRisk(on('4.3.6'), CLASSIC, forged, 0), 'suspect');
  assert.equal(crashRisk(on('4.3.6'), CLASSIC, forged, 1), 'none');
});

test('the native back end, which counts failed attempts as well, shows no crash risk', () => {
  assert.equal(crashesOf(on('4.3.6'), NATIVE, evidence(3, 0)), 0);
  assert.equal(crashRisk(on('4.3.6'), NATIVE, evidence(4, 0), 0), 'none');
});
