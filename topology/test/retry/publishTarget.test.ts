/** Goal: a message that was lost between two attempts is published for its next attempt. Method: every number of spent attempts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf, planTopology, publishTarget, route } from '@fit/topology';
import { DEFAULT } from '../support/declarations.ts';

const PLAN = planTopology(DEFAULT, { version: '4.3.6', hasManagement: true });
const KIND = PLAN.kinds[0]!;

test('the key that it had earned: the next attempt is the one after those that are spent', () => {
  for (const spentCount of [0, 1, 2, 3]) {
    const { exchange, key } = publishTarget(DEFAULT, KIND, spentCount);
    assert.equal(attemptOf(KIND, key, {})?.number, spentCount + 1);
    assert.deepEqual(route(PLAN, exchange, { key }), [KIND.queue]);
  }
});

test('more spent than there are tiers: one last attempt', () => {
  assert.equal(attemptOf(KIND, publishTarget(DEFAULT, KIND, 9).key, {})?.isLast, true);
});

test('the native back end counts in its queue alone: it begins anew', () => {
  const entry = publishTarget(DEFAULT, { ...KIND, backend: 'native' }, 2);
  assert.deepEqual(entry, { exchange: 'jobs', key: KIND.key });
});
