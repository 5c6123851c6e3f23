/** What must hold of a plan before a broker sees it. Every finding names its culprit and the remedy. */
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import { type Fault, TopologyError } from '../errors.ts';
import {
  deadLetterExchange,
  deadLetterQueue,
  parkExchange,
  retryExchange,
  returnExchange,
  tierKey,
  waitQueue,
} from '../plan/names.ts';
import type { QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { route } from './route.ts';

/**
 * Walks every path of every kind: public key, each rejection, each expiry, each final reason, unknown keys.
 * @throws TopologyError `PLAN_REFUSED` with all findings; the process stops at start.
 */
export function provePlan(declaration: Declaration, plan: TopologyPlan): void {
  const faults = [
    ...proveTargets(plan),
    ...proveSeparateKinds(declaration),
    ...proveSeparateNames(plan),
    ...declaration.kinds.flatMap((kind) => [
      ...provePublicKey(declaration, plan, kind),
      ...proveLadder(plan, kind),
      ...proveFinalReasons(plan, kind),
      ...proveUnknownKeys(plan, kind),
      ...proveLimits(kind),
    ]),
    ...plan.queues.flatMap((queue) => proveQueue(declaration, queue)),
  ];
  if (faults.length > 0) throw new TopologyError('PLAN_REFUSED', faults);
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
    ...named
      .filter((name) => name !== undefined)
      .filter((name) => !exchanges.has(name))
      .map((name) => fault('EXCHANGE_MISSING', name, 'plan the exchange that is named here')),
    ...plan.bindings
      .filter(({ queue }) => !queues.has(queue))
      .map(({ queue }) => fault('QUEUE_MISSING', queue, 'plan the queue that is bound here')),
  ];
}

/** Two kinds with one key would each get the other's jobs. */
function proveSeparateKinds(declaration: Declaration): Fault[] {
  const names = declaration.kinds.flatMap(({ key, queue }) => [`key ${key}`, `queue ${queue}`]);
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => fault('KINDS_SHARE', name, 'give each kind a key and a queue of its own'));
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

function provePublicKey(
  declaration: Declaration,
  plan: TopologyPlan,
  kind: KindDeclaration,
): Fault[] {
  const reached = route(plan, declaration.exchange, { key: kind.key });
  return expectOnly(reached, kind.queue, `${declaration.exchange} ${kind.key}`);
}

/** Each rejection leads one tier on, each wait leads back to main, the last rejection ends in the dead-letter queue. */
function proveLadder(whole: TopologyPlan, kind: KindDeclaration): Fault[] {
  const faults: Fault[] = [];
  const plan = withoutNet(whole, kind);
  const count = kind.tiersMs.length;
  for (let tier = 0; tier <= count; tier += 1) {
    const key = tierKey(kind, tier);
    const next = tier < count ? waitQueue(kind.queue, tier + 1) : deadLetterQueue(kind.queue);
    const rejected = route(plan, deadLetterExchange(kind.queue), { key, reason: 'rejected' });
    faults.push(...expectOnly(rejected, next, `rejection of ${key}`));
    if (tier === 0) continue;
    const wait = plan.queues.find(({ name }) => name === waitQueue(kind.queue, tier));
    const returnKey = wait?.arguments['x-dead-letter-routing-key'];
    if (returnKey !== key)
      faults.push(fault('KEY_WRONG', waitQueue(kind.queue, tier), `must return with key ${key}`));
    const returned = route(plan, returnExchange(kind.queue), { key, reason: 'expired' });
    faults.push(...expectOnly(returned, kind.queue, `return of ${key}`));
  }
  return faults;
}

/** The park exchange catches what nothing is bound for. It is the net, not the plan: the ladder stands without it. */
function withoutNet(plan: TopologyPlan, kind: KindDeclaration): TopologyPlan {
  const net = parkExchange(kind.queue);
  const exchanges = plan.exchanges.map((exchange) =>
    exchange.alternate === net ? { ...exchange, alternate: undefined } : exchange,
  );
  return { ...plan, exchanges };
}

/** A final death that went to a tier would come back to main without a rejection: a cycle that the broker drops. */
function proveFinalReasons(plan: TopologyPlan, kind: KindDeclaration): Fault[] {
  return ['delivery_limit', 'expired', 'maxlen'].flatMap((reason) =>
    kind.tiersMs.flatMap((_, tier) => {
      const reached = route(plan, deadLetterExchange(kind.queue), {
        key: tierKey(kind, tier),
        reason,
      });
      return expectOnly(
        reached,
        deadLetterQueue(kind.queue),
        `${reason} of ${tierKey(kind, tier)}`,
      );
    }),
  );
}

function proveUnknownKeys(plan: TopologyPlan, kind: KindDeclaration): Fault[] {
  const inner = [retryExchange, returnExchange, parkExchange, deadLetterExchange];
  return inner.flatMap((nameOf) => {
    const exchange = nameOf(kind.queue);
    const reached = route(plan, exchange, { key: 'no.such.key', reason: 'rejected' });
    return expectOnly(reached, deadLetterQueue(kind.queue), `unknown key at ${exchange}`);
  });
}

function proveLimits(kind: KindDeclaration): Fault[] {
  const attempts = kind.tiersMs.length + 1;
  return attempts <= kind.crashLimit
    ? []
    : [
        fault(
          'CRASH_LIMIT_TOO_LOW',
          kind.queue,
          `${attempts} attempts exceed the crash limit ${kind.crashLimit}; where rejections count, it would end them early`,
        ),
      ];
}

function proveQueue(declaration: Declaration, queue: QueuePlan): Fault[] {
  const { role } = queue;
  const kind = declaration.kinds.find((candidate) => candidate.kind === queue.kind);
  const isUnsafe = role === 'main' && kind?.dropsHead === true;
  const rules: readonly [isBroken: boolean, code: string, remedy: string][] = [
    [
      queue.arguments['x-queue-type'] !== 'quorum',
      'NOT_QUORUM',
      'a classic queue loses dead letters; make it a quorum queue',
    ],
    [
      role !== 'main' && queue.maxLength !== undefined,
      'LENGTH_LIMITED',
      'a limited wait or dead-letter queue loses letters; drop the limit',
    ],
    [
      role === 'dlq' && queue.ttlMs !== undefined,
      'LETTERS_EXPIRE',
      'letters would vanish; drop the time to live',
    ],
    [
      role !== 'dlq' && !isUnsafe && !isAtLeastOnce(queue),
      'NOT_AT_LEAST_ONCE',
      "needs at-least-once and reject-publish, or unsafe: ['drop-head']",
    ],
  ];
  return rules
    .filter(([isBroken]) => isBroken)
    .map(([, code, remedy]) => fault(code, queue.name, remedy));
}

function isAtLeastOnce(queue: QueuePlan): boolean {
  return (
    queue.arguments['x-dead-letter-strategy'] === 'at-least-once' &&
    queue.arguments['x-overflow'] === 'reject-publish' &&
    queue.arguments['x-dead-letter-exchange'] !== undefined
  );
}

function expectOnly(reached: readonly string[], queue: string, path: string): Fault[] {
  if (reached.length === 1 && reached[0] === queue) return [];
  const found = reached.length === 0 ? 'nothing' : reached.join(', ');
  return [fault('PATH_WRONG', path, `must reach ${queue} alone, reaches ${found}`)];
}

function fault(code: string, culprit: string, remedy: string): Fault {
  return { code, culprit, remedy };
}
