/** Goal: what only a broker's version and flags decide is decided rightly. Method: pure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, planTopology } from '@fit/topology';
import { probeBroker } from '@fit/topology/management';
import { planFor } from '@fit/topology-cli/apply';
import { flagFaults } from '../../src/management/probeBroker.ts';
import { ASSIGNMENT, DEFAULT } from '../support/declarations.ts';

const planOf = (declaration: typeof DEFAULT | typeof ASSIGNMENT) =>
  planTopology(declaration, { version: '3.10.8', hasManagement: true });

test('stream_queue must be on where a queue dead-letters at least once; a flag that is gone is on', () => {
  const flag = (state: string) => [
    { name: 'quorum_queue', state: 'disabled' },
    { name: 'stream_queue', state },
  ];
  const [fault, ...more] = flagFaults(planOf(DEFAULT), flag('disabled'));
  assert.deepEqual([fault?.code, fault?.subject, more], ['FEATURE_FLAG_OFF', 'stream_queue', []]);
  assert.deepEqual(flagFaults(planOf(DEFAULT), flag('enabled')), []);
  assert.deepEqual(flagFaults(planOf(DEFAULT), []), []);
  const one = {
    key: 'k',
    queue: 'one',
    tiers: [1],
    queueType: 'classic',
    unsafe: ['classic'],
  } as const;
  const classic = declareTopology({ exchange: 'jobs', kinds: { one } });
  assert.deepEqual(
    flagFaults(planTopology(classic, { version: '3.10.8', hasManagement: true }), flag('disabled')),
    [],
  );
});

test('versions that lose dead letters are refused', () => {
  for (const version of ['3.9.29', '3.13.0', '3.13.2'])
    assert.throws(() => planFor(DEFAULT, version), { code: 'BROKER_REFUSED' });
  for (const version of ['3.10.0', '3.12.14', '3.13.3', '4.0.5', '4.3.6'])
    assert.equal(planFor(DEFAULT, version).broker.version, version);
});

test('without management every check that is skipped is named', async () => {
  const { warnings, skippedChecks } = await probeBroker(planOf(DEFAULT), undefined);
  assert.deepEqual([warnings.length, skippedChecks.length], [0, 3]);
});
