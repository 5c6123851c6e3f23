/** A broker in memory that carries out a plan: it routes, delays, dead-letters and counts as RabbitMQ does. No I/O. */
import type { OutgoingMessage, PublishResult } from '../amqp/index.ts';
import { outgoingHeaders } from '../amqp/outgoingHeaders.ts';
import { formatDuration } from '../declaration/duration.ts';
import { DEFAULT_PRIORITY } from '../declaration/priorities.ts';
import { isAtLeast } from '../plan/brokerProfile.ts';
import { notesName } from '../plan/names.ts';
import type { QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { afterDeath, type DeathReason, route } from '../proof/routes.ts';
import { type Attempt, attemptOf } from '../retry/attempt.ts';
import { type DeathCause, deathCause } from '../retry/deathCause.ts';
import type { DeathNote } from '../retry/describeDeath.ts';
import { SPREAD_HEADER } from '../retry/spread.ts';
import type { Headers } from '../retry/xDeath.ts';
import type { ClockTimer } from '../work/clock.ts';
import {
  countAgainstLimit,
  countReturn,
  countsAfterDeath,
  crashLimitOf,
  headersAfterDeath,
  isAtLeastOnce,
  isCycle,
  lengthLimitOf,
  type MessageReturn,
  NO_RETURNS,
  REFUSED_DEAD_LETTER_RETRY_MS,
  type RedeliveryMarks,
  type ReturnCounts,
  reasonInHeaders,
  redeliveryMarks,
  refusesPublish,
  requeueDelayMs,
} from './brokerRules.ts';
import type { VirtualClock } from './virtualClock.ts';

/** One thing that happened to a message. */
export interface HistoryStep {
  /** Milliseconds since the start of the simulation, at the beginning of the step. */
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
  /** In words, such as 'fails: Error: busy' or 'waits 5s'. */
  readonly what: string;
  /** Queue that holds the message afterwards; undefined if none does. */
  readonly next: string | undefined;
}

/**
 * Where a message is. `held`: the broker keeps it, because its next queue does not take it. `gone`: it was acknowledged, or
 * lost if `isLost`.
 */
export type MessageState = 'ready' | 'unsettled' | 'delayed' | 'held' | 'gone';

/** A message on its way through queues. A copy that a worker publishes is another message with the same id. */
export interface SimulatedMessage {
  readonly id: string;
  /** AMQP `type`; undefined if its publisher set none. */
  readonly type: string | undefined;
  readonly body: Buffer;
  /** AMQP priority; undefined if its publisher set none. */
  readonly priority: number | undefined;
  /** When it was published. */
  readonly publishedAt: Date;
  /** Exchange and routing key of its last publish or dead-lettering. */
  readonly exchange: string;
  readonly key: string;
  /** As published, with what the broker wrote about deaths; counts of deliveries are in `marksOf`. */
  readonly headers: Headers;
  /** Queue that holds it, or held it last. */
  readonly queue: string;
  readonly state: MessageState;
  /** True if no queue accepts it, or if the broker drops or keeps it as a cycle. */
  readonly isLost: boolean;
  readonly history: readonly HistoryStep[];
}

type StoredMessage = {
  -readonly [Name in keyof SimulatedMessage]: SimulatedMessage[Name];
} & { history: HistoryStep[]; counts: ReturnCounts; expiresAtMs: number | undefined };

/** The broker's answer to a publish; a simulated connection is never lost. */
export type SimulatedPublishResult = Extract<PublishResult, 'confirmed' | 'nacked' | 'returned'>;

interface QueueState {
  readonly plan: QueuePlan;
  /** First to be delivered first. */
  ready: StoredMessage[];
  isRefusing: boolean;
  expiry: ClockTimer | undefined;
  /** Urgent messages that were delivered since the last normal one. */
  urgentCount: number;
}

const noteKey = (exchange: string, id: string) => JSON.stringify([exchange, id]);

/** Before 4.3 a queue delivers that many urgent messages for each normal one (RabbitMQ, quorum queues, priorities). */
const URGENT_SHARE = 2;

/** From 4.3 on a queue has so many levels; a higher priority counts as the highest (RabbitMQ, quorum queues, priorities). */
const HIGHEST_PRIORITY = 31;

function priorityOf({ priority = DEFAULT_PRIORITY }: Pick<SimulatedMessage, 'priority'>): number {
  return Math.min(priority, HIGHEST_PRIORITY);
}

/** Times, and what becomes of messages, depend on the plan, the clock and the calls alone. */
export class SimulatedBroker {
  readonly plan: TopologyPlan;
  readonly clock: VirtualClock;
  readonly #queues: ReadonlyMap<string, QueueState>;
  readonly #messages: StoredMessage[] = [];
  readonly #notes = new Map<string, DeathNote>();
  #changeCount = 0;

  constructor(plan: TopologyPlan, clock: VirtualClock) {
    this.plan = plan;
    this.clock = clock;
    this.#queues = new Map(
      plan.queues.map((queue) => [
        queue.name,
        { plan: queue, ready: [], isRefusing: false, expiry: undefined, urgentCount: 0 },
      ]),
    );
  }

  /** Rises with everything that happens. */
  get changeCount(): number {
    return this.#changeCount;
  }

  /** All messages with this id, in the order of their publishes; those that ended included. */
  messagesOf(id: string): readonly SimulatedMessage[] {
    return this.#messages.filter((message) => message.id === id);
  }

  /** Messages that are ready in a queue, first to be delivered first. @throws RangeError for an unknown queue. */
  readyIn(queue: string): readonly SimulatedMessage[] {
    return this.#stateOf(queue).ready;
  }

  /** True if a message is on its way: in a wait, in a worker's hands, or ready in one of these queues. */
  isBusy(consumedQueues: ReadonlySet<string>): boolean {
    return this.#messages.some(({ state, queue, expiresAtMs, isLost }) => {
      if (state === 'unsettled' || state === 'delayed') return true;
      if (state === 'held') return !isLost;
      return state === 'ready' && (expiresAtMs !== undefined || consumedQueues.has(queue));
    });
  }

  /**
   * Publishes as a mandatory message with a confirm.
   * @returns `nacked` if a queue refused it; queues of a fan-out that did not refuse it have it nevertheless.
   */
  publish(message: OutgoingMessage): SimulatedPublishResult {
    const { exchange, key, id, type, body, priority } = message;
    const headers = outgoingHeaders(message);
    const queues = route(this.plan, exchange, { key });
    const publishedAt = this.clock.date();
    const results = (queues.length === 0 ? [''] : queues).map((queue) => {
      const stored: StoredMessage = {
        id,
        type,
        body,
        priority,
        publishedAt,
        exchange,
        key,
        headers,
        queue,
        state: 'gone',
        isLost: false,
        history: [],
        counts: NO_RETURNS,
        expiresAtMs: undefined,
      };
      this.#messages.push(stored);
      const isRefused = queue !== '' && this.#stateOf(queue).isRefusing;
      const next = queue === '' || isRefused ? undefined : queue;
      const refusal = queue === '' ? ', which no queue takes' : ', refused: the queue is full';
      this.#record(stored, {
        place: exchange,
        placeType: 'exchange',
        what: `published as ${key}${next === undefined ? refusal : ''}`,
        next,
      });
      if (next === undefined) stored.isLost = true;
      else this.#enter(stored, next);
      return next !== undefined;
    });
    if (queues.length === 0) return 'returned';
    return results.every((isTaken) => isTaken) ? 'confirmed' : 'nacked';
  }

  /** @returns false if the message is no note of a last error. */
  takeNote({ exchange, id: messageId, headers = {} }: OutgoingMessage): boolean {
    if (!this.plan.notes.some(({ name }) => name === exchange)) return false;
    this.#notes.set(noteKey(exchange, messageId), { messageId, headers, at: this.clock.date() });
    return true;
  }

  /** @returns the newest note of a message of this main queue. */
  noteOf(queue: string, id: string): DeathNote | undefined {
    return this.#notes.get(noteKey(notesName(queue), id));
  }

  /** Delivers the next message of a queue. @returns undefined if none is ready. */
  take(queue: string): SimulatedMessage | undefined {
    const state = this.#stateOf(queue);
    const index = this.#nextIndex(state);
    const [message] = state.ready.splice(index, 1);
    if (message === undefined) return undefined;
    message.state = 'unsettled';
    state.urgentCount = priorityOf(message) > DEFAULT_PRIORITY ? state.urgentCount + 1 : 0;
    this.#readyChanged(state);
    return message;
  }

  /** What the broker says of earlier deliveries of this one. */
  marksOf(message: SimulatedMessage): RedeliveryMarks {
    const stored = message as StoredMessage;
    return redeliveryMarks(this.plan.broker, this.#stateOf(message.queue).plan, stored.counts);
  }

  /** `basic.ack`. */
  ack(message: SimulatedMessage, what: string): void {
    const stored = this.#unsettled(message);
    this.#record(stored, { what, next: undefined });
    stored.state = 'gone';
  }

  /** `basic.nack` without requeue. */
  nackToDeadLetterExchange(message: SimulatedMessage, what: string): void {
    this.#die(this.#unsettled(message), 'rejected', what);
  }

  /** The message comes back to its queue: `failed` by `basic.reject`, `requeued` by `basic.nack`. */
  returnToQueue(message: SimulatedMessage, type: MessageReturn, what: string): void {
    const stored = this.#unsettled(message);
    const { plan } = this.#stateOf(stored.queue);
    const counts = countReturn(stored.counts, type);
    const limit = crashLimitOf(this.plan, plan);
    if (limit !== undefined && countAgainstLimit(this.plan.broker, counts) > limit) {
      this.#die(stored, 'delivery_limit', what, counts);
      return;
    }
    this.#record(stored, { what, next: stored.queue });
    stored.counts = counts;
    const delayMs = type === 'failed' ? requeueDelayMs(plan, counts.failedCount) : 0;
    if (delayMs > 0) this.#delay(stored, delayMs, `held back ${formatDuration(delayMs)}`);
    else this.#makeReady(stored, 'first');
  }

  /** The worker that holds the message ends without settling it. */
  crash(message: SimulatedMessage): void {
    const { plan } = this.#stateOf(message.queue);
    const limit = crashLimitOf(this.plan, plan);
    const { counts } = message as StoredMessage;
    const count = countAgainstLimit(this.plan.broker, countReturn(counts, 'failed'));
    const what =
      limit !== undefined && count > limit
        ? `worker crashes, one above the limit of ${limit}`
        : `worker crashes, ${count} of ${limit ?? 'any number'} allowed`;
    this.returnToQueue(message, 'failed', what);
  }

  /** A full queue with drop-head drops its oldest ready message. Does nothing if none is ready. */
  dropOldest(queue: string): void {
    const state = this.#stateOf(queue);
    const oldest = state.ready.shift();
    if (oldest === undefined) return;
    this.#die(oldest, 'maxlen', 'dropped as the oldest of a full queue');
    this.#readyChanged(state);
  }

  /** @returns the cause of a dead letter, as an operator's tools read it. */
  causeOf(message: SimulatedMessage): DeathCause {
    const { kind: name } = this.#stateOf(message.queue).plan;
    const kind = this.plan.kinds.find((candidate) => candidate.kind === name);
    if (kind === undefined) throw new RangeError(`the plan has no kind ${name}`);
    return deathCause(kind, message.key, message.headers);
  }

  /** As a worker would count it; undefined outside a main queue, and for a key of no tier. */
  attemptOf(message: SimulatedMessage): Attempt | undefined {
    const kind = this.plan.kinds.find(({ queue }) => queue === message.queue);
    if (kind === undefined) return undefined;
    const headers = { ...message.headers, ...this.marksOf(message).headers };
    return attemptOf(kind, message.key, headers);
  }

  #stateOf(queue: string): QueueState {
    const state = this.#queues.get(queue);
    if (state === undefined)
      throw new RangeError(`'${queue}' is none of ${[...this.#queues.keys()].join(', ')}`);
    return state;
  }

  #unsettled(message: SimulatedMessage): StoredMessage {
    if (message.state !== 'unsettled') throw new Error(`${message.id} is ${message.state}`);
    return message as StoredMessage;
  }

  #enter(message: StoredMessage, queue: string): void {
    const state = this.#stateOf(queue);
    const { ttlMs, role } = state.plan;
    message.queue = queue;
    message.expiresAtMs = ttlMs === undefined ? undefined : this.clock.elapsedMs() + ttlMs;
    if (role === 'wait')
      this.#record(
        message,
        ttlMs === undefined
          ? { what: 'waits for ever', next: queue }
          : {
              what: `waits ${formatDuration(ttlMs)}`,
              durationMs: ttlMs,
              next: this.#nextOf(message, 'expired')[0]?.queue,
            },
      );
    if (role === 'wait' && ttlMs === undefined) message.isLost = true;
    this.#makeReady(message, 'last');
    const limit = lengthLimitOf(this.plan, state.plan);
    if (limit === undefined || state.plan.arguments['x-overflow'] !== 'drop-head') return;
    while (state.ready.length > limit) this.dropOldest(queue);
  }

  #makeReady(message: StoredMessage, position: 'first' | 'last'): void {
    const state = this.#stateOf(message.queue);
    message.state = 'ready';
    if (position === 'first') state.ready.unshift(message);
    else state.ready.push(message);
    this.#readyChanged(state);
  }

  #delay(message: StoredMessage, delayMs: number, what: string): void {
    this.#record(message, { what, durationMs: delayMs, next: message.queue });
    message.state = 'delayed';
    this.clock.after(delayMs, () => {
      this.#makeReady(message, 'last');
    });
  }

  #readyChanged(state: QueueState): void {
    this.#changeCount += 1;
    const limit = lengthLimitOf(this.plan, state.plan);
    if (limit !== undefined && state.plan.arguments['x-overflow'] !== 'drop-head')
      state.isRefusing = refusesPublish(state.isRefusing, state.ready.length, limit);
    this.#scheduleExpiry(state);
  }

  /** Messages expire only at the head of a queue. */
  #scheduleExpiry(state: QueueState): void {
    state.expiry?.cancel();
    state.expiry = undefined;
    const dueMs = state.ready[0]?.expiresAtMs;
    if (dueMs === undefined) return;
    state.expiry = this.clock.after(dueMs - this.clock.elapsedMs(), () => {
      this.#expire(state);
    });
  }

  #expire(state: QueueState): void {
    const nowMs = this.clock.elapsedMs();
    for (let head = state.ready[0]; head !== undefined; head = state.ready[0]) {
      const { expiresAtMs } = head;
      if (expiresAtMs === undefined || expiresAtMs > nowMs) break;
      state.ready.shift();
      if (state.plan.role === 'wait') this.#die(head, 'expired', undefined);
      else {
        const { ttlMs = 0 } = state.plan;
        this.#record(head, {
          atMs: expiresAtMs - ttlMs,
          what: `not taken for ${formatDuration(ttlMs)}`,
          durationMs: ttlMs,
          next: head.queue,
        });
        this.#die(head, 'expired', 'expires');
      }
    }
    this.#readyChanged(state);
  }

  #nextIndex({ ready, urgentCount, plan }: QueueState): number {
    const kind = this.plan.kinds.find(({ queue }) => queue === plan.name);
    // Every quorum queue has them from 4.0 on, whether they are declared or not.
    if (kind?.queueType !== 'quorum' || !isAtLeast(this.plan.broker, '4.0.0')) return 0;
    if (isAtLeast(this.plan.broker, '4.3.0')) {
      const highest = Math.max(...ready.map(priorityOf));
      return Math.max(
        0,
        ready.findIndex((message) => priorityOf(message) === highest),
      );
    }
    const isUrgent = (message: StoredMessage) => priorityOf(message) > DEFAULT_PRIORITY;
    const urgentIndex = ready.findIndex(isUrgent);
    const normalIndex = ready.findIndex((message) => !isUrgent(message));
    if (urgentIndex < 0 || normalIndex < 0) return 0;
    return urgentCount < URGENT_SHARE ? urgentIndex : normalIndex;
  }

  /** @returns headers and next places of a message that dies now. */
  #nextOf(
    message: StoredMessage,
    reason: DeathReason,
    headers = this.#deadHeaders(message, reason),
  ) {
    const { queue, key } = message;
    const spread = headers[SPREAD_HEADER];
    const place = { queue, key, spread: typeof spread === 'string' ? spread : undefined };
    return afterDeath(this.plan, place, reasonInHeaders(headers));
  }

  #deadHeaders(message: StoredMessage, reason: DeathReason): Headers {
    const { queue, exchange, key, headers } = message;
    const death = { queue, reason, exchange, key, at: this.clock.date() };
    return headersAfterDeath(this.plan.broker, headers, death);
  }

  /** @param what undefined if the step was recorded before. */
  #die(
    message: StoredMessage,
    reason: DeathReason,
    what: string | undefined,
    counts = message.counts,
  ): void {
    const headers = this.#deadHeaders(message, reason);
    const next = this.#nextOf(message, reason, headers);
    const [first, ...others] = next;
    const isLost = first === undefined || next.some(({ queue }) => isCycle(headers, queue));
    if (what !== undefined) this.#record(message, { what, next: isLost ? undefined : first.queue });
    this.#changeCount += 1;
    if (isLost) {
      message.state = isAtLeastOnce(this.#stateOf(message.queue).plan) ? 'held' : 'gone';
      message.isLost = true;
      return;
    }
    const copies = others.map((place) => {
      const copy = { ...message, history: [...message.history] };
      this.#messages.push(copy);
      return { copy, place };
    });
    const deadCounts = countsAfterDeath(this.plan.broker, counts, reason);
    for (const { copy, place } of [{ copy: message, place: first }, ...copies])
      this.#transfer(copy, place, headers, deadCounts);
  }

  /** A full queue refuses a dead letter, too; its broker keeps it, and tries again after minutes. */
  #transfer(
    message: StoredMessage,
    place: { readonly queue: string; readonly key: string },
    headers: Headers,
    counts: ReturnCounts,
  ): void {
    const from = this.#stateOf(message.queue).plan;
    if (this.#stateOf(place.queue).isRefusing) {
      const isHeld = isAtLeastOnce(from);
      message.state = isHeld ? 'held' : 'gone';
      message.isLost = !isHeld;
      this.#record(message, {
        what: `${place.queue} is full${isHeld ? `, held for ${formatDuration(REFUSED_DEAD_LETTER_RETRY_MS)}` : ', dropped'}`,
        durationMs: isHeld ? REFUSED_DEAD_LETTER_RETRY_MS : 0,
        next: isHeld ? from.name : undefined,
      });
      if (isHeld)
        this.clock.after(REFUSED_DEAD_LETTER_RETRY_MS, () => {
          this.#transfer(message, place, headers, counts);
        });
      return;
    }
    message.exchange = String(from.arguments['x-dead-letter-exchange']);
    message.key = place.key;
    message.headers = headers;
    message.counts = counts;
    this.#enter(message, place.queue);
  }

  #record(
    message: StoredMessage,
    step: Pick<HistoryStep, 'what' | 'next'> & Partial<HistoryStep>,
  ): void {
    this.#changeCount += 1;
    const { durationMs = 0, place = message.queue } = step;
    // During a wait no worker has the message.
    const attempt =
      durationMs > 0 || step.placeType === 'exchange' ? undefined : this.attemptOf(message)?.number;
    message.history.push({
      atMs: this.clock.elapsedMs(),
      placeType: 'queue',
      key: message.key,
      attempt,
      ...step,
      durationMs,
      place,
    });
  }
}
