/** Proofs over the whole graph of deaths: nothing is dropped, nothing goes round without an attempt, everything ends. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault } from '../errors.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { type DeathRoute, type MessagePosition, nameOf, reachableDeaths } from './deathRoutes.ts';

/** @returns the faults of every path that a message of any kind can take, whatever it dies of. */
export function proveDeaths(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return plan.kinds.flatMap((kind) => {
    const deaths = reachableDeaths(plan, declaration.exchange, kind.key);
    return [...proveNoDrop(deaths), ...proveNoCopies(deaths), ...proveNoIdleCycle(deaths)];
  });
}

/** At least once holds such a letter for ever, at most once drops it; both without a word. */
function proveNoDrop(deaths: readonly DeathRoute[]): Fault[] {
  return deaths
    .filter(({ next }) => next.length === 0)
    .map((death) =>
      fault(
        'MESSAGE_DROPPED',
        pathOf(death),
        'nothing is bound for it; bind it or give an alternate',
      ),
    );
}

function proveNoCopies(deaths: readonly DeathRoute[]): Fault[] {
  return deaths
    .filter(({ next }) => next.length > 1)
    .map((death) => {
      const queues = death.next.map(({ queue }) => queue).join(', ');
      return fault('MESSAGE_DUPLICATED', pathOf(death), `it goes to ${queues}; leave one of them`);
    });
}

/**
 * The broker drops a message that comes back to a queue in its death history when nothing since was `rejected` (at
 * least once holds it for ever instead). Source: RabbitMQ, dead lettering, automatic cycles.
 */
function proveNoIdleCycle(deaths: readonly DeathRoute[]): Fault[] {
  const idle = deaths.filter(({ reason }) => reason !== 'rejected');
  return idle
    .filter((death) => death.next.some((target) => comesBack(idle, target, death.queue)))
    .map((death) =>
      fault(
        'CYCLE_WITHOUT_REJECT',
        pathOf(death),
        `it comes back to ${death.queue} with no rejection on the way, and the broker drops it; send it to the dead-letter queue`,
      ),
    );
}

/** @returns true where a message from `start` reaches the queue by these deaths. */
function comesBack(deaths: readonly DeathRoute[], start: MessagePosition, queue: string): boolean {
  const open = [start];
  const seen = new Set<string>();
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (place.queue === queue) return true;
    if (seen.has(nameOf(place))) continue;
    seen.add(nameOf(place));
    const from = nameOf(place);
    open.push(...deaths.filter((death) => nameOf(death) === from).flatMap(({ next }) => next));
  }
  return false;
}

function pathOf({ reason, key, queue }: DeathRoute): string {
  return `${reason} of ${key} in ${queue}`;
}
