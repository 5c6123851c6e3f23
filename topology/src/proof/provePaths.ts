/** Proofs of the paths of a message: each leads where the declaration says, none loses or duplicates a message, all end. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { keysLike, matchesPattern } from '../declaration/keyPattern.ts';
import { type Fault, fault } from '../errors.ts';
import {
  deadLetterExchange,
  deadLetterQueue,
  delayName,
  directKey,
  firstRetryExchange,
  isTierKey,
  parkExchange,
  patternsOf,
  retryExchange,
  returnExchange,
  spreadExchange,
  spreadQueue,
  tierKey,
  waitQueue,
} from '../plan/names.ts';
import { FINAL_REASONS } from '../plan/planTiers.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import { SPREADS, type Spread, spreadMs } from '../retry/spread.ts';
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
      ...proveOwnKeys(kind),
      ...provePublicKeys(declaration, plan, kind),
      ...proveTiers(plan, kind),
    ]),
    ...proveDelays(declaration, plan),
    ...proveDeaths(declaration, plan),
  ];
}

/**
 * In a fan-out a message of this kind would be confirmed by other queues if this one had no key, and nobody would see that
 * it is missing here. A public key that looks like one of a tier would begin at a later attempt.
 */
function proveOwnKeys(kind: PlannedKind): Fault[] {
  const { key, keys, queue } = kind;
  const reserved = [...new Set([key, ...keys])].filter((one) => isTierKey(queue, one));
  return [
    ...(keys.length === 0 ? [fault('NO_KEY', queue, 'no public key leads to it; bind one')] : []),
    ...reserved.map((one) =>
      fault('KEY_RESERVED', one, `is a key of the tiers of ${queue}; choose another name`),
    ),
  ];
}

/** A message with a public key reaches the main queues whose kinds declare the key, and no other queue. */
function provePublicKeys(declaration: Declaration, plan: TopologyPlan, kind: PlannedKind): Fault[] {
  const exclusive = declaration.hasFanOut ? plan.kinds : [kind];
  return publicKeysOf(kind).flatMap((key) => {
    const path = `${declaration.exchange} ${key}`;
    const reached = route(plan, declaration.exchange, { key });
    if (reached.length === 0)
      return [fault('KEY_UNROUTABLE', path, `no queue is bound; bind ${kind.queue}`)];
    const wanted = exclusive
      .filter(({ keys }) => keys.some((pattern) => matchesPattern(pattern, key)))
      .map(({ queue }) => queue);
    return expectExactly(reached, wanted, path);
  });
}

/** After its delay a message reaches what it would have reached without one. */
function proveDelays(declaration: Declaration, plan: TopologyPlan): Fault[] {
  const keys = new Set(plan.kinds.flatMap(publicKeysOf));
  return declaration.delaysMs.flatMap((delayMs) => {
    const name = delayName(declaration.exchange, delayMs);
    return [...keys].flatMap((key) => [
      ...expectOnly(route(plan, name, { key }), name, `delay of ${key} at ${name}`),
      ...expectExactly(
        reachedAfter(plan, { queue: name, key }, 'expired'),
        route(plan, declaration.exchange, { key }),
        `${key} after ${name}`,
      ),
    ]);
  });
}

/** @returns the spreads that a message can have where it matters; undefined stands for none and for any other value. */
function spreadsIn({ kinds }: TopologyPlan): readonly (Spread | undefined)[] {
  return kinds.every(({ jitter }) => jitter === 0) ? [undefined] : [undefined, ...SPREADS];
}

/** @returns the public keys of a kind; for a pattern, keys that stand for all that it matches. */
function publicKeysOf({ key, keys }: PlannedKind): string[] {
  return [...new Set([key, ...keys.flatMap(keysLike)])];
}

/** @returns the keys that a message has at its first attempt. */
function firstKeysOf(kind: PlannedKind): string[] {
  return [...new Set([...publicKeysOf(kind), directKey(kind)])];
}

/** @returns the keys that a message has in the main queue before the rejection that leads to this tier's successor. */
function keysOfTier(kind: PlannedKind, tier: number): string[] {
  return tier === 0 ? firstKeysOf(kind) : [tierKey(kind, tier)];
}

/** A message with the direct key reaches this queue, however many others have its public key. */
function proveDirectKey(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  const key = directKey(kind);
  const reached = route(plan, returnExchange(kind.queue), { key });
  return expectOnly(reached, kind.queue, `direct key ${key}`);
}

/** The patterns behind the retry exchange are those of the queue, so that every key that reaches it is retried. */
function proveFirstPatterns(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  const { queue } = kind;
  const bound = plan.bindings.filter(({ exchange }) => exchange === firstRetryExchange(queue));
  const patterns = patternsOf(kind);
  const isSame =
    bound.length === patterns.length &&
    bound.every((one) => patterns.includes(one.key) && one.queue === waitQueue(kind, 1));
  const remedy = `must lead the patterns of the queue (${patterns.join(', ') || 'none'}) to ${waitQueue(kind, 1)}, and nothing else`;
  return isSame ? [] : [fault('PATTERN_WRONG', firstRetryExchange(queue), remedy)];
}

/** Each rejection leads to the next tier, each wait leads back, the last rejection and every final reason to the dead-letter queue. */
function proveTiers(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  if (kind.backend === 'native')
    return [
      ...proveDirectKey(withoutAlternates(plan, kind), kind),
      ...proveUnknownKeys(plan, kind, [returnExchange, parkExchange]),
    ];
  return [
    ...proveDirectKey(withoutAlternates(plan, kind), kind),
    ...proveFirstPatterns(plan, kind),
    ...proveRejections(withoutAlternates(plan, kind), kind),
    ...proveReturns(withoutAlternates(plan, kind), kind),
    ...proveFinalReasons(plan, kind),
    ...proveUnknownKeys(plan, kind, [
      retryExchange,
      returnExchange,
      parkExchange,
      deadLetterExchange,
      ...(kind.jitter === 0 ? [] : kind.tiersMs).map(
        (_, index) => () => spreadExchange(kind, index + 1),
      ),
    ]),
  ];
}

function proveRejections(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  return Array.from({ length: kind.tiersMs.length + 1 }, (_, tier) => {
    const isLast = tier === kind.tiersMs.length;
    const next = isLast ? deadLetterQueue(kind) : waitQueue(kind, tier + 1);
    return keysOfTier(kind, tier).flatMap((key) =>
      expectOnly(
        reachedAfter(plan, { queue: kind.queue, key }, 'rejected'),
        next,
        `rejection of ${key}`,
      ),
    );
  }).flat();
}

function proveReturns(plan: TopologyPlan, kind: PlannedKind): Fault[] {
  return kind.tiersMs.flatMap((_, index) => {
    const key = tierKey(kind, index + 1);
    const name = waitQueue(kind, index + 1);
    const wait = plan.queues.find((queue) => queue.name === name);
    const isKeyRight = wait?.arguments['x-dead-letter-routing-key'] === key;
    return [
      ...(isKeyRight ? [] : [fault('KEY_WRONG', name, `must return with key ${key}`)]),
      ...(wait?.ttlMs === undefined
        ? [fault('WAIT_ENDLESS', name, 'has no time to live, so nothing ever returns; give it one')]
        : []),
      ...spreadsIn(plan).flatMap((spread) => proveReturn(plan, kind, { tier: index + 1, spread })),
    ];
  });
}

/** With jitter a message of each spread waits as much longer as declared, and returns with the key of its tier. */
function proveReturn(
  plan: TopologyPlan,
  kind: PlannedKind,
  { tier, spread }: { readonly tier: number; readonly spread: Spread | undefined },
): Fault[] {
  const key = tierKey(kind, tier);
  const path = spread === undefined ? `return of ${key}` : `return of ${key}, spread ${spread}`;
  const delayMs = kind.tiersMs[tier - 1] ?? 0;
  const isLonger = spread !== undefined && kind.jitter > 0;
  const wantedMs = delayMs + (isLonger ? spreadMs(delayMs, kind.jitter, spread) : 0);
  // The wait queue's own dead-letter key counts, not the key that the message came with.
  const first = { queue: waitQueue(kind, tier), key: tierKey(kind, tier - 1), spread };
  const waits = [first.queue];
  let next = afterDeath(plan, first, 'expired');
  if (isLonger) {
    const second = next.filter(({ queue }) => queue === spreadQueue(kind, tier, spread));
    if (second.length !== next.length || second[0] === undefined)
      return expectOnly(
        next.map(({ queue }) => queue),
        spreadQueue(kind, tier, spread),
        path,
      );
    waits.push(second[0].queue);
    next = afterDeath(plan, second[0], 'expired');
  }
  const waitedMs = waits
    .map((name) => plan.queues.find((queue) => queue.name === name)?.ttlMs ?? 0)
    .reduce((sum, ttlMs) => sum + ttlMs, 0);
  return [
    ...expectOnly(
      next.map(({ queue }) => queue),
      kind.queue,
      path,
    ),
    ...(next.every((place) => place.key === key)
      ? []
      : [fault('KEY_WRONG', path, `must return with key ${key}`)]),
    ...(waitedMs === wantedMs
      ? []
      : [fault('LIFETIME_WRONG', path, `must wait ${wantedMs} ms, waits ${waitedMs} ms`)]),
  ];
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
  const dead = deadLetterQueue(kind);
  return FINAL_REASONS.flatMap((reason) =>
    Array.from({ length: kind.tiersMs.length + 1 }, (_, tier) => {
      return keysOfTier(kind, tier).flatMap((key) =>
        expectOnly(
          reachedAfter(plan, { queue: kind.queue, key }, reason),
          dead,
          `${reason} of ${key}`,
        ),
      );
    }).flat(),
  );
}

/** Exchanges that a rejected message passes on its way to a wait queue. */
const RETRY_EXCHANGES = [deadLetterExchange, retryExchange, firstRetryExchange];

function proveUnknownKeys(
  plan: TopologyPlan,
  kind: PlannedKind,
  exchanges: readonly ((queue: string) => string)[],
): Fault[] {
  return exchanges.flatMap((exchangeOf) => {
    const exchange = exchangeOf(kind.queue);
    const key = 'no.such.key';
    const reached = route(plan, exchange, { key, reason: 'rejected' });
    // A message can have any key that a pattern of its queue matches, so such a key is not unknown to the retry exchange.
    const isFirstKey =
      RETRY_EXCHANGES.includes(exchangeOf) &&
      patternsOf(kind).some((pattern) => matchesPattern(pattern, key));
    const wanted = isFirstKey ? waitQueue(kind, 1) : deadLetterQueue(kind);
    return expectOnly(reached, wanted, `unknown key at ${exchange}`);
  });
}

function reachedAfter(plan: TopologyPlan, place: MessagePosition, reason: DeathReason): string[] {
  return afterDeath(plan, place, reason).map(({ queue }) => queue);
}

function expectOnly(reached: readonly string[], queue: string, path: string): Fault[] {
  return expectExactly(reached, [queue], path);
}

function expectExactly(
  reached: readonly string[],
  queues: readonly string[],
  path: string,
): Fault[] {
  const isEqual =
    reached.length === queues.length && queues.every((queue) => reached.includes(queue));
  if (isEqual) return [];
  const found = reached.length === 0 ? 'nothing' : reached.join(', ');
  return [fault('PATH_WRONG', path, `must reach ${queues.join(' and ')} alone, reaches ${found}`)];
}

/** Every death that a message can meet has exactly one next queue, and no cycle without a rejection follows it. */
function proveDeaths(declaration: Declaration, plan: TopologyPlan): Fault[] {
  return plan.kinds.flatMap((kind) => {
    const deaths = publicKeysOf(kind).flatMap((key) =>
      spreadsIn(plan).flatMap((spread) =>
        reachableDeaths(plan, declaration.exchange, { key, spread }),
      ),
    );
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
