/** Goal: each proof refuses its fault. Method: a valid plan, broken in one place at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BindingPlan,
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
import {
  ASSIGNMENT,
  DEFAULT,
  DELAYED,
  FAN_OUT,
  randomBroker,
  randomDeclaration,
} from '../support/declarations.ts';

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

test('both profiles and a fan-out are accepted on each release series, with and without the management API', () => {
  for (const declaration of [DEFAULT, ASSIGNMENT, FAN_OUT])
    for (const version of ['3.10.8', '3.13.7', '4.0.5', '4.3.6'])
      for (const hasManagement of [true, false])
        assert.deepEqual(
          codesOf(declaration, planTopology(declaration, { version, hasManagement })),
          [],
        );
});

test('delays before the first delivery are refused where the broker would take a rejection for an expiry', () => {
  const codes = (version: string) =>
    codesOf(DELAYED, planTopology(DELAYED, { version, hasManagement: true }));
  for (const version of ['3.13.7', '4.0.5', '4.3.6']) assert.deepEqual(codes(version), []);
  assert.ok(codes('3.12.14').includes('DELAY_UNSUPPORTED'));
});

test('property: every declaration proves, on every broker', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      assert.deepEqual(codesOf(declaration, planTopology(declaration, broker)), []);
    }),
    { numRuns: 50 },
  );
});

test('what is named must be planned', () => {
  const exchanges = PLAN.exchanges.filter(({ name }) => name !== 'createWodQueue.park');
  assert.ok(codesOf(DEFAULT, { ...PLAN, exchanges }).includes('EXCHANGE_MISSING'));
  const queues = PLAN.queues.filter(({ name }) => name !== 'createWodQueue.wait.2.30s');
  assert.ok(codesOf(DEFAULT, { ...PLAN, queues }).includes('QUEUE_MISSING'));
});

const [MAIN, WAIT, DEAD] = ['createWodQueue', 'createWodQueue.wait.1.5s', 'createWodQueue.dead'];
const withBinding = (exchange: string, queue: string, key: string): TopologyPlan => ({
  ...PLAN,
  bindings: [...PLAN.bindings, { exchange, queue, key, arguments: {} }],
});
const withoutBinding = (isGone: (binding: BindingPlan) => boolean): TopologyPlan => ({
  ...PLAN,
  bindings: PLAN.bindings.filter((binding) => !isGone(binding)),
});

/** What is broken in the plan, and the codes that name it; the first one is its own. */
const BROKEN: readonly (readonly [what: string, plan: TopologyPlan, code: string])[] = [
  ['no public binding', withoutBinding(({ exchange }) => exchange === 'jobs'), 'KEY_UNROUTABLE'],
  ['a second queue at the public key', withBinding('jobs', DEAD, 'job.createWod'), 'PATH_WRONG'],
  ['a public key of nobody', withBinding('jobs', MAIN, 'job.other'), 'KEY_UNDECLARED'],
  [
    'a second tier for one rejection',
    withBinding('createWodQueue.retry', DEAD, 'job.createWod'),
    'MESSAGE_DUPLICATED',
  ],
  [
    'a wait that brings another key',
    withArgument(WAIT, 'x-dead-letter-routing-key', 'job.createWod'),
    'KEY_WRONG',
  ],
  ['a wait without end', withArgument(WAIT, 'x-message-ttl', undefined), 'LIFETIME_WRONG'],
  ['a wait that is not described', withQueue(WAIT, () => ({ ttlMs: undefined })), 'WAIT_ENDLESS'],
  ['a message with no next queue', withoutNets(), 'MESSAGE_DROPPED'],
  [
    'a crash that is retried',
    withoutBinding((one) => Object.values(one.arguments).includes('delivery_limit')),
    'CYCLE_WITHOUT_REJECT',
  ],
  ['a classic queue', withArgument(WAIT, 'x-queue-type', 'classic'), 'NOT_QUORUM'],
  ['limited deadLetters', withQueue(DEAD, () => ({ maxLength: 5 })), 'LENGTH_LIMITED'],
  [
    'an unlimited main queue',
    withQueue(MAIN, () => ({ maxLength: undefined })),
    'LENGTH_UNLIMITED',
  ],
  ['dead letters that expire', withQueue(DEAD, () => ({ ttlMs: 5 })), 'DEAD_LETTERS_EXPIRE'],
  ['a wait that drops', withArgument(WAIT, 'x-overflow', 'drop-head'), 'DROPS_UNDECLARED'],
  ['at most once', withArgument(MAIN, 'x-dead-letter-strategy', undefined), 'NOT_AT_LEAST_ONCE'],
  [
    'another dead-letter exchange',
    withArgument(MAIN, 'x-dead-letter-exchange', 'createWodQueue.retry'),
    'DEAD_LETTER_EXCHANGE_WRONG',
  ],
  [
    'one key for all attempts',
    withArgument(MAIN, 'x-dead-letter-routing-key', 'job.createWod'),
    'KEY_FORCED',
  ],
  ['a queue of nobody', withQueue(WAIT, () => ({ kind: 'other' })), 'KIND_UNKNOWN'],
  ['no policy', { ...PLAN, policies: [] }, 'LIMIT_WRONG'],
  [
    'a policy for all',
    { ...PLAN, policies: PLAN.policies.map((one) => ({ ...one, pattern: '.*' })) },
    'POLICY_PATTERN_WRONG',
  ],
];

function withoutNets(): TopologyPlan {
  const exchanges = PLAN.exchanges.map((exchange) => ({ ...exchange, alternate: undefined }));
  return { ...PLAN, exchanges };
}

for (const [what, plan, code] of BROKEN)
  test(`${code}: ${what}`, () => {
    const codes = codesOf(DEFAULT, plan);
    assert.ok(codes.includes(code), codes.join(', '));
  });

test('a reason binding with plain `all` matches everything, and is refused', () => {
  const bindings = PLAN.bindings.map((binding) =>
    binding.arguments['x-match'] === undefined
      ? binding
      : { ...binding, arguments: { ...binding.arguments, 'x-match': 'all' } },
  );
  assert.ok(codesOf(DEFAULT, { ...PLAN, bindings }).includes('PATH_WRONG'));
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
  for (const queue of ['one.dead', 'one.wait.1.5s'])
    assert.ok(
      codesOfKinds({ one: ONE, two: { ...ONE, key: 'job.two', queue } }).includes('NAME_TAKEN'),
    );
  assert.ok(codesOfKinds({ one: ONE }, 'one.retry').includes('NAME_TAKEN'));
  assert.ok(codesOfKinds({ one: { ...ONE, key: 'one.r1' } }).includes('PATH_WRONG'));
  // There is no second tier, so no path is wrong yet.
  assert.deepEqual(codesOfKinds({ one: { ...ONE, key: 'one.r2' } }), ['KEY_RESERVED']);
});

test('a subscriber without a public key is refused, although others get its messages', () => {
  const plan = planTopology(FAN_OUT, BROKER);
  const [first] = plan.kinds;
  const withoutKeys = { ...first!, keys: [] };
  const bindings = plan.bindings.filter(
    ({ exchange, queue }) => exchange !== FAN_OUT.exchange || queue !== first!.queue,
  );
  const kinds = plan.kinds.map((kind) => (kind === first ? withoutKeys : kind));
  assert.ok(codesOf(FAN_OUT, { ...plan, kinds, bindings }).includes('NO_KEY'));
});

test('a crash limit below the attempts is refused, one equal to them is not', () => {
  assert.deepEqual(codesOfKinds({ one: { ...ONE, crashLimit: 1 } }), ['CRASH_LIMIT_TOO_LOW']);
  assert.deepEqual(codesOfKinds({ one: { ...ONE, crashLimit: 2 } }), []);
});
