/** Goal: routing as the broker does it. Method: paths of the reference plan, by examples and by a property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTopology, route, type TopologyPlan } from '@fit/topology';
import fc from 'fast-check';
import { DEFAULT, randomBroker, randomDeclaration } from '../support/declarations.ts';

const PLAN = planTopology(DEFAULT, { version: '4.3.6', hasManagement: true });
const DEAD = ['createWodQueue.dead'];

test('a rejection climbs the ladder, from the dead-letter exchange through its alternate', () => {
  const from = (key: string) =>
    route(PLAN, 'createWodQueue.dead-letter', { key, reason: 'rejected' });
  assert.deepEqual(from('job.createWod'), ['createWodQueue.wait.1.5s']);
  assert.deepEqual(from('createWodQueue.r1'), ['createWodQueue.wait.2.30s']);
  assert.deepEqual(from('createWodQueue.r2'), ['createWodQueue.wait.3.2m']);
  assert.deepEqual(from('createWodQueue.r3'), DEAD);
});

test('final reasons and unknown keys end in the dead-letter queue', () => {
  for (const reason of ['delivery_limit', 'expired', 'maxlen'])
    assert.deepEqual(
      route(PLAN, 'createWodQueue.dead-letter', { key: 'job.createWod', reason }),
      DEAD,
    );
  for (const exchange of ['dead-letter', 'retry', 'return', 'park'])
    assert.deepEqual(route(PLAN, `createWodQueue.${exchange}`, { key: 'createWodQueue.r9' }), DEAD);
});

test('an unbound public key reaches nothing, so that it is returned', () => {
  assert.deepEqual(route(PLAN, 'jobs', { key: 'job.other' }), []);
  assert.deepEqual(route(PLAN, 'no.such.exchange', { key: 'job.createWod' }), []);
});

test('alternates in a circle end', () => {
  const exchanges = [
    { name: 'a', type: 'direct', alternate: 'b' },
    { name: 'b', type: 'direct', alternate: 'a' },
  ] as const;
  const plan: TopologyPlan = { ...PLAN, exchanges };
  assert.deepEqual(route(plan, 'a', { key: 'k' }), []);
});

test('property: each key of each kind reaches exactly one queue, for each reason', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      const reasons = ['rejected', 'delivery_limit', 'expired', 'maxlen'];
      for (const { queue, key, tiersMs } of declaration.kinds) {
        assert.deepEqual(route(plan, 'jobs.all', { key }), [queue]);
        const keys = [key, 'no.such.key', ...tiersMs.map((_, index) => `${queue}.r${index + 1}`)];
        for (const exchange of ['dead-letter', 'retry', 'return', 'park'])
          for (const known of keys)
            for (const reason of reasons)
              assert.equal(route(plan, `${queue}.${exchange}`, { key: known, reason }).length, 1);
      }
    }),
    { numRuns: 30 },
  );
});
