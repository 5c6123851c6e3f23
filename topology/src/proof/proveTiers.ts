/** Proofs of one kind's retry ladder: each rejection leads one tier on, each wait leads back, the last one ends. */
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
import { afterDeath, type DeathReason, type MessagePosition } from './deathRoutes.ts';
import { route } from './route.ts';

export function provePublicKey(
  declaration: Declaration,
  plan: TopologyPlan,
  kind: PlannedKind,
): Fault[] {
  const path = `${declaration.exchange} ${kind.key}`;
  const reached = route(plan, declaration.exchange, { key: kind.key });
  if (reached.length === 0)
    return [fault('KEY_UNROUTABLE', path, `no queue is bound; bind ${kind.queue}`)];
  return expectOnly(reached, kind.queue, path);
}

/** Of the tiers; the native back end has no ladder of queues. */
export function proveTiers(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  if (kind.backend === 'native') return proveUnknownKeys(plan, kind, [parkExchange]);
  return [
    ...proveRejections(withoutNet(plan, kind), kind),
    ...proveReturns(withoutNet(plan, kind), kind),
    ...proveFinalReasons(plan, kind),
    ...proveUnknownKeys(plan, kind, [
      ...[retryExchange, returnExchange, parkExchange, deadLetterExchange],
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
    // Through the wait queue's own dead-letter exchange and key, whatever it brought along.
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

/** The park exchange catches what nothing is bound for. It is the net, not the plan: the ladder stands without it. */
function withoutNet(plan: TopologyPlan, kind: PlannedKind): TopologyPlan {
  const net = parkExchange(kind.queue);
  const exchanges = plan.exchanges.map((exchange) =>
    exchange.alternate === net ? { ...exchange, alternate: undefined } : exchange,
  );
  return { ...plan, exchanges };
}

/** A final death that went to a tier would come back to main without a rejection: a cycle that the broker drops. */
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
  return exchanges.flatMap((nameOf) => {
    const exchange = nameOf(kind.queue);
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
