/** Proofs of names: what is named exists, nothing is made twice, and a private key cannot be met by accident. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault } from '../errors.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';

export function proveNames(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return [
    ...proveTargets(plan),
    ...proveSeparateNames(plan),
    ...provePrivateKeys(declaration, plan),
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

/** Derived names can meet, too: a kind on queue `one.dead` would work off the dead letters of a kind on `one`. */
function proveSeparateNames(plan: TopologyPlan): Fault[] {
  return [plan.exchanges, plan.queues].flatMap((objects) => {
    const names = objects.map(({ name }) => name);
    return names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => fault('NAME_TAKEN', name, 'two objects derive this name; rename a queue'));
  });
}

/** Every key but the public ones begins with its queue's name, so that no two kinds' ladders can meet. */
function provePrivateKeys(declaration: Declaration, plan: TopologyPlan): Fault[] {
  const publicKeys = new Set(plan.kinds.map(({ key }) => key));
  return plan.bindings
    .filter(({ exchange, key }) => exchange === declaration.exchange && !publicKeys.has(key))
    .map(({ key }) => fault('KEY_UNDECLARED', key, 'no kind declares this public key; unbind it'));
}
