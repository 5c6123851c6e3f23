/** Proofs of the paths of a message: each leads where the declaration says, none loses or duplicates a message, all end. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault } from '../errors.ts';
import {
  deadLetterExchange,
  deadLetterQueue,
  parkExchange,
  retryExchange,
  returnExchange,
  tierKey,
  waitQueue,
} from '../plan/names.ts';
import { FINAL_REASONS } from '../plan/planTiers.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import {
  afterDeath,
  type DeathReason,
  type DeathRoute,
  type MessagePosition,
  positionId,
  reachableDeaths,
  route,
} from './routes.ts';

/** @returns the faults of all paths of all kinds. */
export function provePaths(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return [
    ...plan.kinds.flatMap((kind) => [
      ...provePublicKey(declaration, plan, kind),
      ...proveTiers(plan, kind),
    ]),
    ...proveDeaths(declaration, plan),
  ];
}

/** A message with the public key reaches the main queue alone. */
function provePublicKey(declaration: Declaration, plan: TopologyPlan, kind: PlannedKind): Fault[] {
  const path = `${declaration.exchange} ${kind.key}`;
  const reached = route(plan, declaration.exchange, { key: kind.key });
  if (reached.length === 0)
    return [fault('KEY_UNROUTABLE', path, `no queue is bound; bind ${kind.queue}`)];
  return expectOnly(reached, kind.queue, path);
}

/** Each rejection leads to the next tier, each wait leads back, the last rejection and every final reason to the dead-letter queue. */
function proveTiers(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  if (kind.backend === 'native') return proveUnknownKeys(plan, kind, [parkExchange]);
  return [
    ...proveRejections(withoutAlternates(plan, kind), kind),
    ...proveReturns(withoutAlternates(plan, kind), kind),
    ...proveFinalReasons(plan, kind),
    ...proveUnknownKeys(plan, kind, [
      retryExchange,
      returnExchange,
      parkExchange,
      deadLetterExchange,
    ]),
  ];
}

function proveRejections(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  return Array.from({ length: kind.tiersMs.length + 1 }, (_, tier) => {
    const key = tierKey(kind, tier);
    const isLast = tier === kind.tiersMs.length;
    const next = isLast ? deadLetterQueue(kind.queue) : waitQueue(kind, tier + 1);
    return expectOnly(
      reachedAfter(plan, { queue: kind.queue, key }, 'rejected'),
      next,
      `rejection of ${key}`,
    );
  }).flat();
}

function proveReturns(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  return kind.tiersMs.flatMap((_, index) => {
    const key = tierKey(kind, index + 1);
    const name = waitQueue(kind, index + 1);
    const wait = plan.queues.find((queue) => queue.name === name);
    const isKeyRight = wait?.arguments['x-dead-letter-routing-key'] === key;
    // The wait queue's own dead-letter key counts, not the key that the message came with.
    const reached = reachedAfter(plan, { queue: name, key: tierKey(kind, index) }, 'expired');
    return [
      ...(isKeyRight ? [] : [fault('KEY_WRONG', name, `must return with key ${key}`)]),
      ...(wait?.ttlMs === undefined
        ? [fault('WAIT_ENDLESS', name, 'has no time to live, so nothing ever returns; give it one')]
        : []),
      ...expectOnly(reached, kind.queue, `return of ${key}`),
    ];
  });
}

/** The tiers must be right without the park exchange, which as alternate exchange takes every message that no binding matches. */
function withoutAlternates(plan: TopologyPlan, kind: PlannedKind): TopologyPlan {
  const park = parkExchange(kind.queue);
  const exchanges = plan.exchanges.map((exchange) =>
    exchange.alternate === park ? { ...exchange, alternate: undefined } : exchange,
  );
  return { ...plan, exchanges };
}

/** A message that died for a final reason would come back from a tier without a rejection: a cycle, which the broker drops. */
function proveFinalReasons(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  const dead = deadLetterQueue(kind.queue);
  return FINAL_REASONS.flatMap((reason) =>
    Array.from({ length: kind.tiersMs.length + 1 }, (_, tier) => {
      const key = tierKey(kind, tier);
      return expectOnly(
        reachedAfter(plan, { queue: kind.queue, key }, reason),
        dead,
        `${reason} of ${key}`,
      );
    }).flat(),
  );
}

function proveUnknownKeys(
  plan: TopologyPlan,
  kind: PlannedKind,
  exchanges: readonly ((queue: string) => string)[],
): Fault[] {
  return exchanges.flatMap((exchangeOf) => {
    const exchange = exchangeOf(kind.queue);
    const reached = route(plan, exchange, { key: 'no.such.key', reason: 'rejected' });
    return expectOnly(reached, deadLetterQueue(kind.queue), `unknown key at ${exchange}`);
  });
}

function reachedAfter(plan: TopologyPlan, place: MessagePosition, reason: DeathReason): string[] {
  return afterDeath(plan, place, reason).map(({ queue }) => queue);
}

function expectOnly(reached: readonly string[], queue: string, path: string): Fault[] {
  if (reached.length === 1 && reached[0] === queue) return [];
  const found = reached.length === 0 ? 'nothing' : reached.join(', ');
  return [fault('PATH_WRONG', path, `must reach ${queue} alone, reaches ${found}`)];
}

/** Every death that a message can meet has exactly one next queue, and no cycle without a rejection follows it. */
function proveDeaths(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return plan.kinds.flatMap((kind) => {
    const deaths = reachableDeaths(plan, declaration.exchange, kind.key);
    return [...proveNoDrop(deaths), ...proveNoCopies(deaths), ...proveNoIdleCycle(deaths)];
  });
}

/** With at-least-once such a message would await transfer for ever, with at-most-once the broker drops it; both silently. */
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
 * The broker drops a message that comes back to a queue in which it died before, where no death since was `rejected`. With
 * at-least-once it awaits transfer for ever instead. Source: RabbitMQ, dead lettering, automatic cycles.
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

/** @returns true if a message from `start` reaches the queue by these deaths. */
function comesBack(deaths: readonly DeathRoute[], start: MessagePosition, queue: string): boolean {
  const open = [start];
  const seen = new Set<string>();
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (place.queue === queue) return true;
    if (seen.has(positionId(place))) continue;
    seen.add(positionId(place));
    const from = positionId(place);
    open.push(...deaths.filter((death) => positionId(death) === from).flatMap(({ next }) => next));
  }
  return false;
}

function pathOf({ reason, key, queue }: DeathRoute): string {
  return `${reason} of ${key} in ${queue}`;
}
