/** Goal: the plan is the reference shape, word for word. Method: snapshots as text, per profile, broker, management. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTopology, type TopologyPlan } from '@fit/topology';
import fc from 'fast-check';
import { ASSIGNMENT, DEFAULT, randomBroker, randomDeclaration } from '../support/declarations.ts';

const QUORUM = { 'x-queue-type': 'quorum' };
const SAFE = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };
const MAIN = { ...QUORUM, 'x-dead-letter-exchange': 'createWodQueue.dead-letter' };
const WITH_MANAGEMENT = { version: '4.3.6', hasManagement: true };

const EXCHANGES = [
  'jobs topic -> none',
  'createWodQueue.park fanout -> none',
  'createWodQueue.retry direct -> createWodQueue.park',
  'createWodQueue.return direct -> createWodQueue.park',
  'createWodQueue.dead-letter headers -> createWodQueue.retry',
];

function bindings(reasonHeader: string): string[] {
  const reason = (name: string) =>
    `createWodQueue.dead-letter [] {"x-match":"all-with-x","${reasonHeader}":"${name}"} -> createWodQueue.dead`;
  return [
    'createWodQueue.park [] {} -> createWodQueue.dead',
    ...['delivery_limit', 'expired', 'maxlen'].map(reason),
    'createWodQueue.retry [job.createWod] {} -> createWodQueue.wait.1.5s',
    'createWodQueue.retry [createWodQueue.r0] {} -> createWodQueue.wait.1.5s',
    'createWodQueue.retry [createWodQueue.r1] {} -> createWodQueue.wait.2.30s',
    'createWodQueue.retry [createWodQueue.r2] {} -> createWodQueue.wait.3.2m',
    'createWodQueue.retry [createWodQueue.r3] {} -> createWodQueue.dead',
    'createWodQueue.return [createWodQueue.r0] {} -> createWodQueue',
    'createWodQueue.return [createWodQueue.r1] {} -> createWodQueue',
    'createWodQueue.return [createWodQueue.r2] {} -> createWodQueue',
    'createWodQueue.return [createWodQueue.r3] {} -> createWodQueue',
    'jobs [job.createWod] {} -> createWodQueue',
  ];
}

const wait = (tier: number, ttlMs: number) => ({
  ...QUORUM,
  'x-message-ttl': ttlMs,
  'x-dead-letter-exchange': 'createWodQueue.return',
  'x-dead-letter-routing-key': `createWodQueue.r${tier}`,
  ...SAFE,
});
const WAITS = {
  'createWodQueue.wait.1.5s': wait(1, 5_000),
  'createWodQueue.wait.2.30s': wait(2, 30_000),
  'createWodQueue.wait.3.2m': wait(3, 120_000),
};

const argumentsOf = (plan: TopologyPlan) =>
  Object.fromEntries(plan.queues.map((queue) => [queue.name, queue.arguments]));

const exchangesOf = (plan: TopologyPlan) =>
  plan.exchanges.map(({ name, type, alternate }) => `${name} ${type} -> ${alternate ?? 'none'}`);

const bindingsOf = (plan: TopologyPlan) =>
  plan.bindings.map(
    (binding) =>
      `${binding.exchange} [${binding.key}] ${JSON.stringify(binding.arguments)} -> ${binding.queue}`,
  );

const policiesOf = (plan: TopologyPlan) =>
  plan.policies.map(({ name, pattern, definition }) => [name, pattern, definition]);

for (const [version, header] of [
  ['3.10.8', 'x-first-death-reason'],
  ['3.12.14', 'x-first-death-reason'],
  ['3.13.7', 'x-last-death-reason'],
  ['4.0.5', 'x-last-death-reason'],
  ['4.3.6', 'x-last-death-reason'],
] as const)
  test(`exchanges and bindings on ${version}, in order, the public one last`, () => {
    for (const declaration of [DEFAULT, ASSIGNMENT])
      for (const hasManagement of [true, false]) {
        const plan = planTopology(declaration, { version, hasManagement });
        assert.deepEqual(exchangesOf(plan), EXCHANGES);
        assert.deepEqual(bindingsOf(plan), bindings(header));
      }
  });

test('queues of the default profile: limits are policies', () => {
  for (const version of ['3.10.8', '3.13.7', '4.3.6']) {
    const plan = planTopology(DEFAULT, { version, hasManagement: true });
    assert.deepEqual(argumentsOf(plan), {
      'createWodQueue.dead': QUORUM,
      ...WAITS,
      createWodQueue: { ...MAIN, ...SAFE },
    });
  }
});

test('queues of the assignment profile: time to live, drop-head, at most once', () => {
  const plan = planTopology(ASSIGNMENT, WITH_MANAGEMENT);
  assert.deepEqual(argumentsOf(plan), {
    'createWodQueue.dead': QUORUM,
    ...WAITS,
    createWodQueue: { ...MAIN, 'x-overflow': 'drop-head', 'x-message-ttl': 60_000 },
  });
});

test('without management the limits are arguments, and nothing is a policy', () => {
  const limits = { 'x-max-length': 10_000, 'x-delivery-limit': 5 };
  for (const [version, dead] of [
    ['3.10.8', QUORUM],
    ['3.13.7', QUORUM],
    ['4.3.6', { ...QUORUM, 'x-delivery-limit': -1 }],
  ] as const) {
    const plan = planTopology(DEFAULT, { version, hasManagement: false });
    assert.deepEqual(argumentsOf(plan), {
      'createWodQueue.dead': dead,
      ...WAITS,
      createWodQueue: { ...MAIN, ...SAFE, ...limits },
    });
    assert.deepEqual(plan.policies, []);
  }
});

test('policies: one per queue with an anchored pattern; from 4.0 on the dead-letter queue has no delivery limit', () => {
  const main = [
    'createWodQueue',
    '^createWodQueue$',
    { 'max-length': 10_000, 'delivery-limit': 5 },
  ];
  const dead = ['createWodQueue.dead', '^createWodQueue\\.dead$', { 'delivery-limit': -1 }];
  for (const [version, expected] of [
    ['3.10.8', [main]],
    ['3.13.7', [main]],
    ['4.0.5', [main, dead]],
    ['4.3.6', [main, dead]],
  ] as const)
    assert.deepEqual(policiesOf(planTopology(DEFAULT, { version, hasManagement: true })), expected);
});

test('property: deterministic, frozen, each policy fits its own queue alone', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      assert.deepEqual(plan, planTopology(declaration, broker));
      assert.ok(Object.isFrozen(plan) && plan.queues.every((queue) => Object.isFrozen(queue)));
      for (const { name, pattern } of plan.policies)
        assert.deepEqual(
          plan.queues.map((queue) => queue.name).filter((queue) => new RegExp(pattern).test(queue)),
          [name],
        );
    }),
    { numRuns: 50 },
  );
});
