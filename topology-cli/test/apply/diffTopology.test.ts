/** Goal: each kind of difference has its code, its subject and what removes it. Method: one change to a model of a virtual host. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, planTopology, type TopologyPlan } from '@fit/topology';
import { type LiveBinding, type LivePolicy, type LiveTopology } from '@fit/topology/management';
import fc from 'fast-check';
import { randomBroker, randomDeclaration } from '../../../topology/test/support/declarations.ts';
import { diffTopology, type TopologyDifference } from '../../src/apply/diffTopology.ts';
import { planSteps } from '../../src/apply/planSteps.ts';
import { liveOf, queueOf } from './brokerModel.ts';

const one = { key: 'job.one', queue: 'one', tiers: ['5s', '30s'] } as const;
const PLAN = planTopology(declareTopology({ exchange: 'jobs', kinds: { one } }), {
  version: '4.3.6',
  hasManagement: true,
});
const LIVE = liveOf(PLAN);

/** Code, subject, mender. */
const short = (differences: readonly TopologyDifference[]) =>
  differences.map(({ code, subject, fixedBy }) => `${code} ${subject}: ${fixedBy}`);

const diffOf = (change: Partial<LiveTopology>, plan: TopologyPlan = PLAN) =>
  diffTopology(plan, { ...LIVE, ...change });

const binding = (text: string, destinationType: 'queue' | 'exchange' = 'queue'): LiveBinding => {
  const [source = '', key = '', destination = ''] = text.split(' ');
  return { source, key, destination, destinationType, arguments: {} };
};
const withBindings = (...added: LiveBinding[]) => ({ bindings: [...LIVE.bindings, ...added] });

const oldWait = (name: string, key: string) =>
  queueOf(name, {
    'x-queue-type': 'quorum',
    'x-message-ttl': 120_000,
    'x-dead-letter-exchange': 'one.return',
    'x-dead-letter-routing-key': key,
  });
const withQueue = (...added: LiveTopology['queues']) => ({ queues: [...LIVE.queues, ...added] });

const policy = (change: Partial<LivePolicy>): LivePolicy => ({
  name: 'other',
  pattern: '.*',
  definition: {},
  applyTo: 'all',
  priority: 0,
  ...change,
});
const withPolicy = (change: Partial<LivePolicy>) => ({
  policies: [...LIVE.policies, policy(change)],
});

test('property: a virtual host made from a plan has no difference, on every broker version', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, { version }) => {
      const plan = planTopology(declaration, { version, hasManagement: true });
      assert.deepEqual(diffTopology(plan, liveOf(plan)), []);
    }),
    { numRuns: 30 },
  );
});

test('objects that do not belong to the plan are ignored', () => {
  const differences = diffOf({
    exchanges: [...LIVE.exchanges, { ...LIVE.exchanges[0]!, name: 'theirs' }],
    ...withQueue(queueOf('theirs', {}), queueOf('onewait.1.5s', {}), queueOf('one.waiting', {})),
    ...withBindings(binding('theirs job.one theirs')),
    ...withPolicy({ pattern: '^theirs$', definition: { 'max-length': 1 } }),
  });
  assert.deepEqual(differences, []);
});

test('exchanges: missing, another alternate, another type, auto-delete', () => {
  const [jobs, park, retry, ...rest] = LIVE.exchanges;
  assert.deepEqual(short(diffOf({ exchanges: [jobs!, retry!, ...rest] })), [
    'EXCHANGE_MISSING one.park: apply',
  ]);
  const changed = { ...retry!, type: 'fanout', isAutoDelete: true, arguments: {} };
  const [difference, ...more] = diffOf({ exchanges: [jobs!, park!, changed, ...rest] });
  assert.deepEqual([short([difference!]), more], [['EXCHANGE_DIFFERS one.retry: operator'], []]);
  assert.deepEqual(difference!.planned, {
    type: 'direct',
    alternate: 'one.park',
    isAutoDelete: false,
  });
  assert.deepEqual(difference!.live, { type: 'fanout', alternate: null, isAutoDelete: true });
});

test('queues: missing, and each argument that differs with both values', () => {
  const [dead, , ...rest] = LIVE.queues;
  assert.deepEqual(short(diffOf({ queues: [dead!, ...rest] })), [
    'QUEUE_MISSING one.wait.1.5s: apply',
  ]);
  const planned = LIVE.queues.find(({ name }) => name === 'one')!;
  const { 'x-overflow': _, ...settings } = planned.arguments;
  const main = { ...planned, arguments: { ...settings, 'x-message-ttl': 60_000 } };
  const others = LIVE.queues.filter((queue) => queue !== planned);
  const [difference, ...more] = diffOf({ queues: [...others, main] });
  assert.deepEqual([short([difference!]), more], [['QUEUE_ARGUMENTS_DIFFER one: operator'], []]);
  assert.deepEqual(difference!.planned, { 'x-overflow': 'reject-publish', 'x-message-ttl': null });
  assert.deepEqual(difference!.live, { 'x-overflow': null, 'x-message-ttl': 60_000 });
  assert.match(difference!.remedy, /never delete it while it holds messages/);
});

test('the native back end on a broker with tiers: the main queue differs, the former wait queues are to be drained', () => {
  const kinds = { one: { ...one, tiers: ['5s', '10s'], backend: 'native' } } as const;
  const native = planTopology(declareTopology({ exchange: 'jobs', kinds }), PLAN.broker);
  const codes = diffOf({}, native).map(({ code, subject }) => `${code} ${subject}`);
  assert.deepEqual(
    codes.filter((line) => !line.startsWith('BINDING_EXTRA')),
    ['QUEUE_ARGUMENTS_DIFFER one', 'QUEUE_OLD one.wait.1.5s', 'QUEUE_OLD one.wait.2.30s'],
  );
  // What main still dead-letters into stays, and the way back as long as something may come.
  assert.deepEqual(planSteps(native, LIVE), []);
  assert.ok(codes.every((line) => !line.includes('one.return')));
  assert.deepEqual(diffTopology(native, liveOf(native)), []);
});

test('former wait queues are to be drained, and their return binding is wanted until then', () => {
  const old = oldWait('one.wait.3.2m', 'one.r3');
  const back = binding('one.return one.r3 one');
  assert.deepEqual(short(diffOf({ ...withQueue(old), ...withBindings(back) })), [
    'QUEUE_OLD one.wait.3.2m: drain',
  ]);
  assert.deepEqual(short(diffOf(withQueue(old))), [
    'QUEUE_OLD one.wait.3.2m: drain',
    'BINDING_MISSING one.return [one.r3] -> one: apply',
  ]);
  assert.deepEqual(short(diffOf(withBindings(back))), [
    'BINDING_EXTRA one.return [one.r3] -> one: apply',
  ]);
});

test('wait queues whose name is no longer declared belong to the kind that they return to', () => {
  const named = { ...one, names: { wait: 'mine.{n}', dead: 'mine.dead' } };
  const plan = planTopology(
    declareTopology({ exchange: 'jobs', kinds: { one: named } }),
    PLAN.broker,
  );
  const former = diffTopology(PLAN, liveOf(plan)).filter(({ code }) => code === 'QUEUE_OLD');
  assert.deepEqual(short(former), ['QUEUE_OLD mine.1: drain', 'QUEUE_OLD mine.2: drain']);
  const back = diffTopology(plan, LIVE).filter(({ code }) => code === 'QUEUE_OLD');
  assert.deepEqual(short(back), [
    'QUEUE_OLD one.wait.1.5s: drain',
    'QUEUE_OLD one.wait.2.30s: drain',
  ]);
});

test('what is left of a delay that is no longer declared is named, and other names are not', () => {
  const delayed = declareTopology({ exchange: 'jobs', kinds: { one }, delays: ['5s', '1m'] });
  const kept = declareTopology({ exchange: 'jobs', kinds: { one }, delays: ['1m'] });
  const [before, after] = [delayed, kept].map((declaration) =>
    planTopology(declaration, PLAN.broker),
  );
  assert.deepEqual(short(diffTopology(after!, liveOf(before!))), [
    'EXCHANGE_OLD jobs.delay.5s: drain',
    'QUEUE_OLD jobs.delay.5s: drain',
    'BINDING_EXTRA jobs.delay.5s [] -> jobs.delay.5s: apply',
  ]);
  const theirs = queueOf('jobs.delay.2s', { 'x-dead-letter-exchange': 'theirs' });
  const other = queueOf('jobs.delay.soon', { 'x-dead-letter-exchange': 'jobs' });
  assert.deepEqual(diffOf(withQueue(theirs, other)), []);
});

test('a consumer of a planned or former wait queue is reported; one of the main queue is not', () => {
  const consumed = LIVE.queues.map((queue) => ({ ...queue, consumerCount: 1 }));
  const old = { ...oldWait('one.wait.1.2m', 'one.r1'), consumerCount: 2 };
  assert.deepEqual(short(diffOf({ queues: [...consumed, old] })), [
    'CONSUMER_ON_WAIT one.wait.1.5s: operator',
    'CONSUMER_ON_WAIT one.wait.2.30s: operator',
    'QUEUE_OLD one.wait.1.2m: drain',
    'CONSUMER_ON_WAIT one.wait.1.2m: operator',
  ]);
});

test('each missing binding is reported', () => {
  for (const lost of LIVE.bindings) {
    const differences = diffOf({ bindings: LIVE.bindings.filter((other) => other !== lost) });
    assert.deepEqual(
      differences.map(({ code, fixedBy }) => [code, fixedBy]),
      [[lost.source === 'one.notes' ? 'NOTES_MISSING' : 'BINDING_MISSING', 'apply']],
    );
    const wanted = lost.source === 'one.notes' ? lost.source : `${lost.source} [${lost.key}]`;
    assert.ok(differences[0]?.subject.startsWith(wanted));
  }
});

test('extra bindings: those of private exchanges are removed by apply, those that others may use are reported', () => {
  for (const [added, mends] of [
    [binding('one.retry job.one one.dead'), 'apply'],
    [binding('one.retry job.one theirs'), 'apply'],
    [binding('one.park # theirs', 'exchange'), 'apply'],
    [binding('jobs # one'), 'apply'],
    [binding('jobs # one.retry', 'exchange'), 'apply'],
    [binding('jobs # theirs'), 'operator'],
    [binding('theirs k one'), 'operator'],
    [binding('theirs k one.wait.1.5s'), 'operator'],
    [binding('theirs k jobs', 'exchange'), 'operator'],
  ] as const) {
    const [difference, ...more] = diffOf(withBindings(added));
    assert.deepEqual([difference?.code, difference?.fixedBy, more], ['BINDING_EXTRA', mends, []]);
  }
});

test('an interrupted tier change is one difference, with all its bindings', () => {
  const name = 'one.retry.switch';
  const exchanges = [...LIVE.exchanges, { ...LIVE.exchanges[2]!, name }];
  const hanging = [binding(`${name} job.one one.wait.1.5s`), binding(`x k ${name}`, 'exchange')];
  assert.deepEqual(short(diffOf({ exchanges, ...withBindings(...hanging) })), [
    'TIER_CHANGE_LEFT one.retry.switch: apply',
  ]);
});

test('planned policies: missing, and every field that differs', () => {
  const [main, dead] = LIVE.policies;
  assert.deepEqual(short(diffOf({ policies: [main!] })), ['POLICY_MISSING one.dead: apply']);
  for (const change of [
    { pattern: '^one' },
    { definition: { 'max-length': 9_999, 'delivery-limit': 5 } },
    { applyTo: 'all' },
    { priority: 1 },
  ])
    assert.deepEqual(short(diffOf({ policies: [{ ...main!, ...change }, dead!] })), [
      'POLICY_DIFFERS one: apply',
    ]);
});

test('foreign policies: those that replace a planned one, and those that change what happens to a message', () => {
  const foreign = (change: Partial<LivePolicy>) => short(diffOf(withPolicy(change)));
  const fateful = { definition: { 'message-ttl': 1_000 } };
  const on = (...names: string[]) =>
    names.map((name) => `POLICY_FOREIGN other on ${name}: operator`);
  assert.deepEqual(foreign({ pattern: '^one$' }), on('one'));
  assert.deepEqual(foreign({ pattern: '^one$', priority: -1 }), []);
  assert.deepEqual(foreign({ pattern: 'wait' }), []);
  assert.deepEqual(
    foreign({ pattern: 'wait', priority: -1, ...fateful }),
    on('one.wait.1.5s', 'one.wait.2.30s'),
  );
  assert.deepEqual(foreign({ pattern: 'wait', applyTo: 'exchanges', ...fateful }), []);
  assert.deepEqual(foreign({ pattern: 'wait', applyTo: 'classic_queues', ...fateful }), []);
  // Of two numbers the broker takes the lower.
  assert.deepEqual(foreign({ pattern: 'wait.2', definition: { 'message-ttl': 30_001 } }), []);
  for (const name of ['expires', 'max-length', 'max-length-bytes', 'delivery-limit'])
    assert.deepEqual(
      foreign({ pattern: 'wait.1', definition: { [name]: 9 } }),
      on('one.wait.1.5s'),
    );
  for (const name of ['overflow', 'dead-letter-exchange', 'dead-letter-routing-key'])
    assert.deepEqual(
      foreign({ pattern: 'wait.1', definition: { [name]: 'x' } }),
      on('one.wait.1.5s'),
    );
  // A pattern that only Erlang understands counts once the broker says that it is in force.
  const pattern = '(?i)ONE\\.DEAD(?#)';
  assert.deepEqual(foreign({ pattern }), []);
  const queues = LIVE.queues.map((queue) =>
    queue.name === 'one.dead' ? { ...queue, policy: 'other' } : queue,
  );
  assert.deepEqual(
    short(diffOf({ queues, ...withPolicy({ pattern, priority: -9 }) })),
    on('one.dead'),
  );
});

test('operator policies are reported only where they change a limit', () => {
  const operator = (definition: LivePolicy['definition'], pattern: string) =>
    short(diffOf({ operatorPolicies: [policy({ definition, pattern })] }));
  assert.deepEqual(operator({ 'max-length': 9_999 }, '^one$'), [
    'POLICY_OPERATOR other on one: operator',
  ]);
  assert.deepEqual(operator({ 'max-length': 10_000 }, '^one$'), []);
  // No limit is planned here: any limit is lower.
  assert.deepEqual(operator({ 'delivery-limit': 50 }, 'dead'), [
    'POLICY_OPERATOR other on one.dead: operator',
  ]);
  assert.deepEqual(operator({ 'queue-leader-locator': 'balanced' }, '.*'), []);
});
