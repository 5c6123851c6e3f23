/** Proof of a plan before it is asserted: a plan that would lose, duplicate or strand messages is refused. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { matchesPattern } from '../declaration/keyPattern.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import { hasNativeRetry, isLinear } from '../plan/planNative.ts';
import { returnCapacity } from '../plan/returnCapacity.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import { provePaths } from './provePaths.ts';
import { proveQueues } from './proveQueues.ts';

/**
 * Checks names, kinds, every path of every kind (public key, rejections, expiries, final reasons, unknown keys), queues and
 * limits.
 * @throws TopologyError `PLAN_REFUSED` with all faults; the process stops at its start.
 */
export function provePlan(declaration: Declaration, plan: TopologyPlan): void {
  const faults = [
    ...proveNames(declaration, plan),
    ...proveKinds(declaration, plan),
    ...provePaths(declaration, plan),
    ...proveQueues(declaration, plan),
  ];
  if (faults.length > 0) throw new TopologyError('PLAN_REFUSED', faults);
}

/** Names: every named object exists, no name is used twice, and no binding has a public key that nobody declared. */
function proveNames(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return [
    ...proveTargets(plan),
    ...proveSeparateNames(plan),
    ...provePublicKeys(declaration, plan),
  ];
}

function proveTargets(plan: TopologyPlan): Fault[] {
  const exchanges = new Set(plan.exchanges.map(({ name }) => name));
  const queues = new Set(plan.queues.map(({ name }) => name));
  const named = [
    ...plan.exchanges.map(({ alternate }) => alternate),
    ...plan.queues.map((queue) => queue.arguments['x-dead-letter-exchange']?.toString()),
    ...plan.bindings.map(({ exchange }) => exchange),
  ];
  return [
    ...[...new Set(named)]
      .filter((name) => name !== undefined)
      .filter((name) => !exchanges.has(name))
      .map((name) => fault('EXCHANGE_MISSING', name, 'plan the exchange that is named here')),
    ...plan.bindings
      .filter(({ queue }) => !queues.has(queue))
      .map(({ queue }) => fault('QUEUE_MISSING', queue, 'plan the queue that is bound here')),
  ];
}

/** Derived names can collide: a kind on queue `one.dead` would consume the dead letters of a kind on queue `one`. */
function proveSeparateNames(plan: TopologyPlan): Fault[] {
  return [
    [...plan.exchanges, ...plan.notes],
    [...plan.queues, ...plan.notes],
  ].flatMap((objects) => {
    const names = objects.map(({ name }) => name);
    return names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) =>
        fault(
          'NAME_TAKEN',
          name,
          'two objects have this name; rename a queue, or give other names',
        ),
      );
  });
}

/** All keys but the public ones begin with the name of their queue, so they cannot collide. */
function provePublicKeys(declaration: Declaration, plan: TopologyPlan): Fault[] {
  const publicKeys = new Set(plan.kinds.flatMap(({ keys }) => keys));
  return plan.bindings
    .filter(({ exchange, key }) => exchange === declaration.exchange && !publicKeys.has(key))
    .map(({ key }) => fault('KEY_UNDECLARED', key, 'no kind declares this public key; unbind it'));
}

/** Kinds: what they declare fits to each other, to their limits and to this broker. */
function proveKinds(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return [
    ...proveDelaySupport(declaration, plan.broker),
    ...proveSeparateKinds(declaration, plan.kinds),
    ...plan.kinds.flatMap((kind) => [
      ...proveCrashLimit(kind),
      ...proveReturnCapacity(kind),
      ...proveBroker(kind, plan.broker),
    ]),
  ];
}

/** Before 3.13 only the first death has a reason, which after a delay is `expired`, so a rejection would end the message. */
function proveDelaySupport({ delaysMs }: Declaration, broker: BrokerProfile): Fault[] {
  if (delaysMs.length === 0 || isAtLeast(broker, '3.13.0')) return [];
  const remedy = `RabbitMQ ${broker.version} cannot delay the first delivery; use 3.13 or newer, or declare no delays`;
  return [fault('DELAY_UNSUPPORTED', 'delays', remedy)];
}

/** Two kinds with one queue would each get the other's jobs, and so would two with one key that declare no fan-out. */
function proveSeparateKinds({ hasFanOut }: Declaration, kinds: readonly PlannedKind[]): Fault[] {
  const queues = kinds.map(({ queue }) => queue);
  const sharedQueues = queues
    .filter((queue, index) => queues.indexOf(queue) !== index)
    .map((queue) => fault('KINDS_SHARE', `queue ${queue}`, 'give each kind a queue of its own'));
  const sharedKeys = kinds.flatMap(({ key }, index) =>
    kinds
      .slice(index + 1)
      .filter((other) => isBoundBy(other, key) || isBoundBy(kinds[index], other.key))
      .map((other) =>
        fault(
          'KINDS_SHARE',
          `key ${isBoundBy(other, key) ? key : other.key}`,
          'give each kind a key of its own, or declare hasFanOut: true',
        ),
      ),
  );
  return hasFanOut ? sharedQueues : [...sharedQueues, ...sharedKeys];
}

function isBoundBy(kind: PlannedKind | undefined, key: string): boolean {
  return kind?.keys.some((pattern) => matchesPattern(pattern, key)) === true;
}

function proveCrashLimit(kind: PlannedKind): Fault[] {
  const attempts = kind.tiersMs.length + 1;
  const remedy = `${attempts} attempts exceed the crash limit ${kind.crashLimit}; where rejections count, it would end them early`;
  return attempts <= kind.crashLimit ? [] : [fault('CRASH_LIMIT_TOO_LOW', kind.queue, remedy)];
}

function proveReturnCapacity(kind: PlannedKind): Fault[] {
  const { reservedCount, producerLimit } = returnCapacity(kind);
  if (producerLimit > 0) return [];
  const remedy = `at the declared load ${reservedCount} messages wait and come back, which alone fill the limit ${kind.maxLength}; raise maxLength, shorten the tiers, or lower the load`;
  return [fault('RETURN_CAPACITY_EXCEEDED', kind.queue, remedy)];
}

function proveBroker(kind: PlannedKind, broker: BrokerProfile): Fault[] {
  const { version } = broker;
  const isNative = kind.backend === 'native';
  const rules = [
    {
      isBroken: kind.priorities.length > 0 && !isAtLeast(broker, '4.0.0'),
      code: 'PRIORITY_UNSUPPORTED',
      remedy: `quorum queues of RabbitMQ ${version} have no priorities; use 4.0 or newer`,
    },
    {
      isBroken:
        kind.priorities.length > 2 && isAtLeast(broker, '4.0.0') && !isAtLeast(broker, '4.3.0'),
      code: 'PRIORITY_UNSUPPORTED',
      remedy: `quorum queues of RabbitMQ ${version} have two priorities; declare two, or use 4.3 or newer`,
    },
    {
      isBroken: isNative && kind.jitter > 0,
      code: 'JITTER_UNSUPPORTED',
      remedy: "the broker's own retry has no jitter; take backend 'tiers'",
    },
    {
      isBroken: isNative && !hasNativeRetry(broker),
      code: 'NATIVE_UNSUPPORTED',
      remedy: `RabbitMQ ${version} has no delayed retry (4.3.1 and newer have); take backend 'tiers' or 'auto'`,
    },
    {
      isBroken: isNative && !isLinear(kind.tiersMs),
      code: 'NATIVE_NOT_LINEAR',
      remedy: `the broker waits min(first × n, longest), not ${kind.tiers.join(', ')}; take such tiers or backend 'tiers'`,
    },
  ];
  return rules
    .filter(({ isBroken }) => isBroken)
    .map(({ code, remedy }) => fault(code, kind.queue, remedy));
}
