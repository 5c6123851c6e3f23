/**
 * Keeps a message that crashes its process from taking other messages into the dead-letter queue. When a process ends, the
 * broker counts a crash for every message that it held, running or not. Other messages are therefore protected by not being
 * held at the same time as such a message: with a limit of 3 and a prefetch of 50, a worker without quarantine
 * dead-lettered 49 unrelated messages (measured, 3.10.8).
 */
import type { Delivery } from '../amqp/delivery.ts';
import type { CrashRisk } from '../retry/crashRisk.ts';

/** What the quarantine needs from its worker. */
export interface QuarantineOptions {
  readonly riskOf: (delivery: Delivery) => CrashRisk;
  /** Suspect messages that run at a time until this channel delivers a message without risk; at least 1. */
  readonly suspectConcurrency: number;
  /** Deliveries that may be unsettled while messages are pulled one by one; 0 pulls none. */
  readonly maxInFlight: () => number;
  /** False before 4.3, because the broker counts a requeue like a crash there. */
  readonly isRequeueFree: () => boolean;
  /** Deliveries of this worker that are not settled, including those that wait in the quarantine. */
  readonly unsettledCount: () => number;
  /** True once nothing arrives that was not pulled. */
  readonly isPaused: () => boolean;
  /** Gets one message, which is admitted before the promise resolves. @returns false if the queue is empty. */
  readonly pull: () => Promise<boolean>;
  readonly run: (delivery: Delivery) => void;
  /** Is called with each new mode. */
  readonly onMode: (mode: QuarantineMode) => void;
}

/**
 * How messages are received. oneByOne: each is pulled and examined before the next. prefetch: the broker delivers up to the
 * prefetch.
 */
export type QuarantineMode = 'oneByOne' | 'prefetch';

/**
 * Each new channel begins in the mode `oneByOne`, because after a crash the broker first delivers what the ended process
 * held. The first message without risk, or an empty queue, starts the mode `prefetch`; a redelivered message ends it.
 * Redelivered messages run at the same time as the others, so no message waits for them. Suspect messages run a few at a
 * time only until the first message without risk. A message near its limit runs alone.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  #mode: QuarantineMode = 'oneByOne';
  #hasSeenNoRisk = false;
  #isPulling = false;
  /** Number of the current channel, so that the result of a pull on an earlier channel is recognised and ignored. */
  #channelNumber = 0;
  readonly #suspects = new Set<Delivery>();
  /** Messages near their limit that have not run yet. */
  #nearLimit: Delivery[] = [];
  #runningAlone: Delivery | undefined;

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  get mode(): QuarantineMode {
    return this.#mode;
  }

  /** A new channel is open: the deliveries of the old channel are lost, and only pulled messages arrive. */
  reset(): void {
    this.#channelNumber += 1;
    this.#hasSeenNoRisk = false;
    this.#isPulling = false;
    this.#suspects.clear();
    this.#nearLimit = [];
    this.#runningAlone = undefined;
    this.#enter('oneByOne');
    this.onChange();
  }

  /** A delivery arrived: runs it now, or keeps it until it can run alone. */
  admit(delivery: Delivery): void {
    switch (this.#options.riskOf(delivery)) {
      case 'none':
        this.#hasSeenNoRisk = true;
        if (!this.#isOneToRunAlone) this.#enter('prefetch');
        this.#options.run(delivery);
        return;
      case 'redelivered':
        this.#enter('oneByOne');
        this.#options.run(delivery);
        break;
      case 'suspect':
        this.#enter('oneByOne');
        this.#suspects.add(delivery);
        this.#options.run(delivery);
        break;
      case 'nearLimit':
        this.#enter('oneByOne');
        this.#nearLimit.push(delivery);
    }
    this.onChange();
  }

  /** To be called after each settled delivery, when a pause is in force, and when `maxInFlight` changed. */
  onChange(settled?: Delivery): void {
    if (settled !== undefined) {
      this.#suspects.delete(settled);
      if (settled === this.#runningAlone) this.#runningAlone = undefined;
    }
    if (this.#nearLimit.length > 0) this.#runOneAlone();
    else if (this.#mayPull()) void this.#pullMore();
  }

  get #isOneToRunAlone(): boolean {
    return this.#nearLimit.length > 0 || this.#runningAlone !== undefined;
  }

  /**
   * Waits until all other deliveries are settled. Several messages near their limit may be held as long as none of them
   * runs.
   */
  #runOneAlone(): void {
    const { unsettledCount, isPaused, isRequeueFree, run } = this.#options;
    if (this.#isPulling || !isPaused() || unsettledCount() > this.#nearLimit.length) return;
    const [first, ...others] = this.#nearLimit;
    if (first === undefined) return;
    this.#runningAlone = first;
    this.#nearLimit = isRequeueFree() ? [] : others;
    if (isRequeueFree()) for (const other of others) other.requeue();
    run(first);
  }

  async #pullMore(): Promise<void> {
    const channelNumber = this.#channelNumber;
    this.#isPulling = true;
    const isFound = await this.#options.pull();
    if (channelNumber !== this.#channelNumber) return;
    this.#isPulling = false;
    // An empty queue contains no redelivered message, so the broker may deliver up to the prefetch again.
    if (!isFound && !this.#isOneToRunAlone) this.#enter('prefetch');
    this.onChange();
  }

  #mayPull(): boolean {
    const { suspectConcurrency, maxInFlight, unsettledCount, isPaused } = this.#options;
    if (this.#mode === 'prefetch' || this.#isPulling) return false;
    if (this.#isOneToRunAlone || !isPaused()) return false;
    const areSuspectsEnough = !this.#hasSeenNoRisk && this.#suspects.size >= suspectConcurrency;
    return !areSuspectsEnough && unsettledCount() < maxInFlight();
  }

  #enter(mode: QuarantineMode): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#options.onMode(mode);
  }
}

/** Message ids that are remembered; the oldest are forgotten first. An id has at most 255 bytes in AMQP. */
export const REMEMBERED_MESSAGE_LIMIT = 10_000;

/**
 * Counts the messages that the broker requeued after a lost connection while this process continued to run. The broker
 * counts a lost connection like a crash, and only the process itself can see the difference. Up to 4.2 a message that the
 * worker requeues is counted here as well, for the same reason.
 */
export class RedeliveriesWithoutCrash {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit = REMEMBERED_MESSAGE_LIMIT) {
    this.#limit = limit;
  }

  /** Number of remembered ids; never above the limit. */
  get size(): number {
    return this.#counts.size;
  }

  /** @param messageId undefined if the publisher set none: such a message cannot be recognised. */
  add(messageId: string | undefined): void {
    if (messageId === undefined) return;
    const count = this.countOf(messageId) + 1;
    // The id is deleted first, so that the map is in the order of the latest redelivery.
    this.#counts.delete(messageId);
    this.#counts.set(messageId, count);
    if (this.#counts.size <= this.#limit) return;
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined) this.#counts.delete(oldest);
  }

  countOf(messageId: string | undefined): number {
    return messageId === undefined ? 0 : (this.#counts.get(messageId) ?? 0);
  }
}
