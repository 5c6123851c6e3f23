/** Goal: each proof refuses what it is there for. Method: the good plan, broken by hand in one place at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Declaration,
  declareTopology,
  type KindOptions,
  planTopology,
  provePlan,
  type QueuePlan,
  TopologyError,
  type TopologyPlan,
} from '@fit/topology';
import fc from 'fast-check';
import { ASSIGNMENT, DEFAULT, randomBroker, randomDeclaration } from '../support/declarations.ts';

const BROKER = { version: '4.3.6', hasManagement: true };
const PLAN = planTopology(DEFAULT, BROKER);

function codesOf(declaration: Declaration, plan: TopologyPlan): string[] {
  try {
    provePlan(declaration, plan);
  } catch (error) {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'PLAN_REFUSED');
    return [...new Set(error.faults.map(({ code }) => code))];
  }
  return [];
}

/** The plan with one queue changed. */
function withQueue(name: string, change: (queue: QueuePlan) => Partial<QueuePlan>): TopologyPlan {
  const queues = PLAN.queues.map((queue) =>
    queue.name === name ? { ...queue, ...change(queue) } : queue,
  );
  return { ...PLAN, queues };
}

function withArgument(name: string, key: string, value: string | undefined): TopologyPlan {
  return withQueue(name, (queue) => {
    const { [key]: _, ...rest } = queue.arguments;
    return { arguments: value === undefined ? rest : { ...rest, [key]: value } };
  });
}

test('both profiles prove on each broker line, with and without management', () => {
  for (const declaration of [DEFAULT, ASSIGNMENT])
    for (const version of ['3.10.8', '3.13.7', '4.0.5', '4.3.6'])
      for (const hasManagement of [true, false])
        assert.deepEqual(
          codesOf(declaration, planTopology(declaration, { version, hasManagement })),
          [],
        );
});

test('property: every declaration proves, on every broker', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      assert.deepEqual(codesOf(declaration, planTopology(declaration, broker)), []);
    }),
    { numRuns: 50 },
  );
});

test('property: without any one of its bindings no plan proves', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      for (const missing of plan.bindings) {
        const bindings = plan.bindings.filter((binding) => binding !== missing);
        assert.notDeepEqual(
          codesOf(declaration, { ...plan, bindings }),
          [],
          JSON.stringify(missing),
        );
      }
    }),
    { numRuns: 20 },
  );
});

test('property: with any one of its alternates cut no plan proves', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      for (const cut of plan.exchanges.filter(({ alternate }) => alternate !== undefined)) {
        const exchanges = plan.exchanges.map((exchange) =>
          exchange === cut ? { ...exchange, alternate: undefined } : exchange,
        );
        assert.deepEqual(codesOf(declaration, { ...plan, exchanges }), ['PATH_WRONG']);
      }
    }),
    { numRuns: 20 },
  );
});

test('a binding too many is refused as well', () => {
  const extra = { exchange: 'jobs', queue: 'createWodQueue.dead', key: 'job.createWod' };
  const bindings = [...PLAN.bindings, { ...extra, arguments: {} }];
  assert.deepEqual(codesOf(DEFAULT, { ...PLAN, bindings }), ['PATH_WRONG']);
});

test('a reason binding with plain `all` matches everything, and is refused', () => {
  const bindings = PLAN.bindings.map((binding) =>
    binding.arguments['x-match'] === undefined
      ? binding
      : { ...binding, arguments: { ...binding.arguments, 'x-match': 'all' } },
  );
  assert.deepEqual(codesOf(DEFAULT, { ...PLAN, bindings }), ['PATH_WRONG']);
});

test('what is named must be planned', () => {
  const exchanges = PLAN.exchanges.filter(({ name }) => name !== 'createWodQueue.park');
  assert.ok(codesOf(DEFAULT, { ...PLAN, exchanges }).includes('EXCHANGE_MISSING'));
  const queues = PLAN.queues.filter(({ name }) => name !== 'createWodQueue.wait.2');
  assert.ok(codesOf(DEFAULT, { ...PLAN, queues }).includes('QUEUE_MISSING'));
});

test('queues that lose letters are refused', () => {
  const [main, wait, dead] = ['createWodQueue', 'createWodQueue.wait.1', 'createWodQueue.dead'];
  const table: [TopologyPlan, string][] = [
    [withQueue(dead, () => ({ maxLength: 5 })), 'LENGTH_LIMITED'],
    [withQueue(wait, () => ({ maxLength: 5 })), 'LENGTH_LIMITED'],
    [withQueue(dead, () => ({ ttlMs: 5 })), 'LETTERS_EXPIRE'],
    ...[main, wait, dead].map((name): [TopologyPlan, string] => [
      withArgument(name, 'x-queue-type', 'classic'),
      'NOT_QUORUM',
    ]),
    ...[main, wait].flatMap((name) =>
      ['x-dead-letter-strategy', 'x-overflow', 'x-dead-letter-exchange'].map(
        (key): [TopologyPlan, string] => [withArgument(name, key, undefined), 'NOT_AT_LEAST_ONCE'],
      ),
    ),
    [withArgument(wait, 'x-overflow', 'drop-head'), 'NOT_AT_LEAST_ONCE'],
    [withArgument(main, 'x-overflow', 'drop-head'), 'NOT_AT_LEAST_ONCE'],
  ];
  for (const [plan, code] of table) assert.deepEqual(codesOf(DEFAULT, plan), [code]);
});

test('a wait queue must give its message the key of its tier', () => {
  const plan = withArgument('createWodQueue.wait.2', 'x-dead-letter-routing-key', 'job.createWod');
  assert.deepEqual(codesOf(DEFAULT, plan), ['KEY_WRONG']);
});

const codesOfKinds = (kinds: Record<string, KindOptions>, exchange = 'jobs') => {
  const declaration = declareTopology({ exchange, kinds });
  return codesOf(declaration, planTopology(declaration, BROKER));
};
const ONE: KindOptions = { key: 'job.one', queue: 'one', tiers: ['5s'] };

test('kinds that share a key or a queue are refused', () => {
  const sharedKey = codesOfKinds({ one: ONE, two: { ...ONE, queue: 'two' } });
  assert.ok(sharedKey.includes('KINDS_SHARE') && sharedKey.includes('PATH_WRONG'));
  assert.ok(codesOfKinds({ one: ONE, two: { ...ONE, key: 'job.two' } }).includes('KINDS_SHARE'));
  assert.deepEqual(codesOfKinds({ one: ONE, two: { ...ONE, key: 'job.two', queue: 'two' } }), []);
});

test('names that collide only once derived are refused, too', () => {
  for (const queue of ['one.dead', 'one.wait.1'])
    assert.ok(
      codesOfKinds({ one: ONE, two: { ...ONE, key: 'job.two', queue } }).includes('NAME_TAKEN'),
    );
  assert.ok(codesOfKinds({ one: ONE }, 'one.retry').includes('NAME_TAKEN'));
  assert.ok(codesOfKinds({ one: { ...ONE, key: 'one.r1' } }).includes('PATH_WRONG'));
});

test('a crash limit below the attempts is refused, one equal to them is not', () => {
  assert.deepEqual(codesOfKinds({ one: { ...ONE, crashLimit: 1 } }), ['CRASH_LIMIT_TOO_LOW']);
  assert.deepEqual(codesOfKinds({ one: { ...ONE, crashLimit: 2 } }), []);
});
