/** Moves one message through a plan as the broker would, and records each step with its time. */
import {
  type Attempt,
  afterDeath,
  attemptOf,
  type DeathCause,
  type DeathReason,
  type DeathRecord,
  deathCause,
  deliveryCount,
  formatDuration,
  type Headers,
  isAtLeast,
  type MessagePosition,
  type PlannedKind,
  type QueuePlan,
  readDeaths,
  route,
  type TopologyPlan,
} from '@fit/topology';

export interface SimulationStep {
  /** Milliseconds since the publish, at the beginning of the step. */
  readonly atMs: number;
  /** Milliseconds that the step takes; 0 for all but a wait. */
  readonly durationMs: number;
  /** Name of the queue that holds the message, or of the exchange to which it is published. */
  readonly place: string;
  /** Which of the two `place` is: an exchange and a queue may have the same name. */
  readonly placeType: 'queue' | 'exchange';
  /** Routing key of the message in that place. */
  readonly key: string;
  /** Counted from 1; undefined if no worker would receive the message. */
  readonly attempt: number | undefined;
  /** In words, such as 'fails' or 'waits 5s'. */
  readonly event: string;
  /** Queue that holds the message afterwards; undefined if none does. */
  readonly next: string | undefined;
}

/** How the message ended, or where it is when no more outcomes are given. */
export type SimulationEnd =
  /** Acknowledged: `done` with an effect, `discarded` without one. */
  | { readonly type: 'done' | 'discarded' }
  | { readonly type: 'dead'; readonly queue: string; readonly cause: DeathCause }
  /** In the main queue, before the attempt of that number; counted from 1. */
  | { readonly type: 'waiting'; readonly queue: string; readonly attempt: number | undefined }
  /** No queue accepts it: returned to its publisher, kept by the broker, or dropped. Cannot happen in a proved plan. */
  | { readonly type: 'lost'; readonly place: string };

/** A message in a queue, with the headers that the broker would have written. */
interface SimulatedMessage extends MessagePosition {
  readonly headers: Headers;
}

/** Must not be used after its end. */
export class Simulation {
  readonly #plan: TopologyPlan;
  readonly #kind: PlannedKind;
  readonly #steps: SimulationStep[] = [];
  #atMs = 0;
  #message: SimulatedMessage = { queue: '', key: '', headers: {} };
  #end: SimulationEnd | undefined;

  constructor(plan: TopologyPlan, kind: PlannedKind) {
    this.#plan = plan;
    this.#kind = kind;
  }

  get steps(): readonly SimulationStep[] {
    return this.#steps;
  }

  /** Milliseconds since the publish. */
  get atMs(): number {
    return this.#atMs;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  get end(): SimulationEnd {
    const { queue } = this.#message;
    return this.#end ?? { type: 'waiting', queue, attempt: this.attempt?.number };
  }

  get key(): string {
    return this.#message.key;
  }

  /** The queue that holds the message, as planned. */
  get queue(): QueuePlan | undefined {
    return this.#plan.queues.find(({ name }) => name === this.#message.queue);
  }

  /** Deliveries that the broker counts as ended. */
  get deliveryCount(): number {
    return deliveryCount(this.#message.headers);
  }

  /** As a worker would read it; undefined if the key belongs to no tier of the kind. */
  get attempt(): Attempt | undefined {
    return attemptOf(this.#kind, this.#message.key, this.#message.headers);
  }

  /** A new message: it has none of the broker's headers of an earlier one. */
  publish(exchange: string, key: string, headers: Headers = {}): void {
    const [queue] = route(this.#plan, exchange, { key });
    this.#steps.push({
      atMs: this.#atMs,
      durationMs: 0,
      place: exchange,
      placeType: 'exchange',
      key,
      attempt: undefined,
      event: `published as ${key}`,
      next: queue,
    });
    this.#enter(queue === undefined ? undefined : { queue, key, headers }, exchange);
  }

  /** The broker dead-letters the message. */
  deadLetter(reason: DeathReason, event: string): void {
    const next = afterDeadLettering(this.#plan, this.#message, reason);
    this.#record(event, next?.queue);
    this.#enter(next, this.#message.queue);
  }

  /** The delivery ends unsettled; the queue may delay the message before it delivers it again. */
  requeue(event: string): void {
    const { queue, headers } = this.#message;
    this.#record(event, queue);
    const count = this.deliveryCount + 1;
    this.#message = { ...this.#message, headers: { ...headers, 'x-delivery-count': count } };
    const delayMs = this.queue === undefined ? 0 : requeueDelayMs(this.queue, count);
    if (delayMs > 0) this.wait(delayMs, `held back ${formatDuration(delayMs)}`);
  }

  /** The message stays in its queue. */
  wait(durationMs: number, event: string): void {
    this.#record(event, this.#message.queue, durationMs);
    this.#atMs += durationMs;
  }

  finish(end: SimulationEnd, event: string): void {
    this.#record(event, undefined);
    this.#end = end;
  }

  /** The worker acknowledges the message, because it publishes another one in its place. */
  replace(event: string): void {
    this.#record(event, undefined);
  }

  /** @param waitMs above 0 for a wait, during which no worker has the message. */
  #record(event: string, next: string | undefined, waitMs = 0): void {
    this.#steps.push({
      atMs: this.#atMs,
      durationMs: waitMs,
      place: this.#message.queue,
      placeType: 'queue',
      key: this.#message.key,
      attempt: waitMs > 0 ? undefined : this.attempt?.number,
      event,
      next,
    });
  }

  #enter(next: SimulatedMessage | undefined, place: string): void {
    if (next === undefined) {
      this.#end = { type: 'lost', place };
      return;
    }
    this.#message = next;
    const { queue, key, headers } = next;
    const { role, ttlMs } = this.queue ?? {};
    if (role === 'dlq')
      this.#end = { type: 'dead', queue, cause: deathCause(this.#kind, key, headers) };
    else if (role === 'wait') this.#waitForTier(ttlMs);
  }

  /** Ends when the broker would detect a cycle, so the simulation of a wrong plan ends, too. */
  #waitForTier(ttlMs: number | undefined): void {
    const { queue } = this.#message;
    if (ttlMs === undefined) {
      this.#end = { type: 'lost', place: queue };
      return;
    }
    const next = afterDeadLettering(this.#plan, this.#message, 'expired');
    this.#record(`waits ${formatDuration(ttlMs)}`, next?.queue, ttlMs);
    this.#atMs += ttlMs;
    this.#enter(next, queue);
  }
}

/** @returns how many deliveries may end unsettled; undefined if nothing limits them (classic queues). */
export function crashLimitOf(plan: TopologyPlan, queue: QueuePlan): number | undefined {
  if (queue.arguments['x-queue-type'] !== 'quorum') return undefined;
  const policy = plan.policies.find(({ pattern }) => new RegExp(pattern).test(queue.name));
  const limit = queue.arguments['x-delivery-limit'] ?? policy?.definition['delivery-limit'];
  return typeof limit === 'number' && limit >= 0 ? limit : undefined;
}

/**
 * @param count deliveries that have ended, this one included.
 * @returns how long a queue with delayed retry holds a requeued message back: min(shortest × count, longest), after a
 * failed attempt and after a crash alike (measured on 4.3.6); 0 if the queue has no delayed retry.
 */
export function requeueDelayMs(queue: QueuePlan, count: number): number {
  const shortestMs = Number(queue.arguments['x-delayed-retry-min'] ?? 0);
  const longestMs = Number(queue.arguments['x-delayed-retry-max'] ?? 0);
  return Math.min(shortestMs * count, longestMs);
}

/** @returns undefined if no queue accepts the message, or if the broker detects a cycle and drops or keeps it. */
function afterDeadLettering(
  plan: TopologyPlan,
  message: SimulatedMessage,
  reason: DeathReason,
): SimulatedMessage | undefined {
  const headers = headersAfterDeath(plan, message, reason);
  // Before 3.13 the broker names only the first death, so bindings compare that one.
  const boundReason = headers['x-last-death-reason'] ?? headers['x-first-death-reason'];
  const [next] = afterDeath(plan, message, boundReason as DeathReason);
  if (next === undefined || isCycle(readDeaths(headers), next.queue)) return undefined;
  return { ...next, headers };
}

function headersAfterDeath(
  { broker }: TopologyPlan,
  { queue, headers }: SimulatedMessage,
  reason: DeathReason,
): Headers {
  const deaths = readDeaths(headers);
  const isSame = (death: DeathRecord) => death.queue === queue && death.reason === reason;
  const count = (deaths.find(isSame)?.count ?? 0) + 1;
  const lastDeath = { 'x-last-death-queue': queue, 'x-last-death-reason': reason };
  return {
    ...headers,
    'x-death': [{ queue, reason, count }, ...deaths.filter((death) => !isSame(death))],
    'x-first-death-reason': headers['x-first-death-reason'] ?? reason,
    ...(isAtLeast(broker, '3.13.0') ? lastDeath : {}),
    // From 4.3 on a rejection leaves the count as it is, so crashes add up over the whole life of a message (measured on
    // 4.3.6: three crashes, a reject, then the third crash at the next tier is the sixth). Before, the count that is
    // compared with the delivery limit restarts after each dead-lettering (measured on 3.10 and 4.0.5).
    'x-delivery-count': isAtLeast(broker, '4.3.0') ? deliveryCount(headers) : 0,
  };
}

/** The broker's rule: the message returns to a queue in which it died, with no rejection since. */
function isCycle(newestFirst: readonly DeathRecord[], queue: string): boolean {
  const index = newestFirst.findIndex((death) => death.queue === queue);
  return index >= 0 && newestFirst.slice(0, index + 1).every(({ reason }) => reason !== 'rejected');
}
