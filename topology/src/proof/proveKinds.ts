/** Proofs of what the kinds ask for, against each other, against their limits and against this broker. */
import { type Fault, fault } from '../errors.ts';
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import { hasNativeRetry, isLinear } from '../plan/planNative.ts';
import { returnCapacity } from '../plan/returnCapacity.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';

export function proveKinds(plan: TopologyPlan): Fault[] {
  return [
    ...proveSeparateKinds(plan.kinds),
    ...plan.kinds.flatMap((kind) => [
      ...proveCrashLimit(kind),
      ...proveHeadroom(kind),
      ...proveBroker(kind, plan.broker),
    ]),
  ];
}

/** Two kinds with one key would each get the other's jobs. */
function proveSeparateKinds(kinds: readonly PlannedKind[]): Fault[] {
  const names = kinds.flatMap(({ key, queue }) => [`key ${key}`, `queue ${queue}`]);
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => fault('KINDS_SHARE', name, 'give each kind a key and a queue of its own'));
}

function proveCrashLimit(kind: PlannedKind): Fault[] {
  const attempts = kind.tiersMs.length + 1;
  const remedy = `${attempts} attempts exceed the crash limit ${kind.crashLimit}; where rejections count, it would end them early`;
  return attempts <= kind.crashLimit ? [] : [fault('CRASH_LIMIT_TOO_LOW', kind.queue, remedy)];
}

function proveHeadroom(kind: PlannedKind): Fault[] {
  const { reservedCount, producerLimit } = returnCapacity(kind);
  if (producerLimit > 0) return [];
  const remedy = `at the declared load ${reservedCount} messages wait and come back, which alone fill the limit ${kind.maxLength}; raise maxLength, shorten the tiers, or lower the load`;
  return [fault('RETURN_CAPACITY_EXCEEDED', kind.queue, remedy)];
}

function proveBroker(kind: PlannedKind, broker: BrokerProfile): Fault[] {
  const { version } = broker;
  const isNative = kind.backend === 'native';
  const rules: readonly [isBroken: boolean, code: string, remedy: string][] = [
    [
      kind.hasPriorities && !isAtLeast(broker, '4.0.0'),
      'PRIORITY_UNSUPPORTED',
      `quorum queues of RabbitMQ ${version} have no priorities; use 4.0 or newer`,
    ],
    [
      isNative && !hasNativeRetry(broker),
      'NATIVE_UNSUPPORTED',
      `RabbitMQ ${version} has no delayed retry (4.3.1 and newer have); take backend 'tiers' or 'auto'`,
    ],
    [
      isNative && !isLinear(kind.tiersMs),
      'NATIVE_NOT_LINEAR',
      `the broker waits min(first × n, longest), not ${kind.tiers.join(', ')}; take such tiers or backend 'tiers'`,
    ],
  ];
  return rules
    .filter(([isBroken]) => isBroken)
    .map(([, code, remedy]) => fault(code, kind.queue, remedy));
}
