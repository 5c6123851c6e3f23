/**
 * Keeps a message that crashes its process from taking other messages into the dead-letter queue. When a process ends, the
 * broker counts a crash for every message that it held, running or not. So other messages are protected by not being held
 * beside such a message: with a limit of 3 and a prefetch of 50 a worker without quarantine dead-lettered 49 innocent messages
 * (measured, 3.10.8).
 */
import type { Delivery } from '../amqp/delivery.ts';
import type { CrashRisk } from '../retry/crashRisk.ts';

/** What the quarantine asks of its worker. */
export interface QuarantineOptions {
  readonly riskOf: (delivery: Delivery) => CrashRisk;
  /** Suspects that run at a time while this channel has brought no message without risk; at least 1. */
  readonly suspectConcurrency: number;
  /** Deliveries that may be unsettled while messages are pulled one by one; 0 pulls none. */
  readonly maxInFlight: () => number;
  /** False before 4.3, where the broker counts a requeue like a crash. */
  readonly isRequeueFree: () => boolean;
  /** Deliveries of this worker that are not settled, those that wait here included. */
  readonly unsettledCount: () => number;
  /** True once nothing arrives that was not pulled. */
  readonly isPaused: () => boolean;
  /** Gets one message, which is admitted before the promise resolves. @returns false where there is none. */
  readonly pull: () => Promise<boolean>;
  readonly run: (delivery: Delivery) => void;
  /** Is called with each new mode. */
  readonly onMode: (mode: QuarantineMode) => void;
}

/** How messages are taken. oneByOne: each is examined before the next is pulled. open: by the prefetch. */
export type QuarantineMode = 'oneByOne' | 'prefetch';

/**
 * Each new channel begins one by one, because after a crash the broker first delivers what the ended process held. The first
 * message without risk opens the quarantine, and so does an empty queue; a returned message closes it. Returned messages run
 * beside the others, so nothing waits for them. Only suspects that come before any message without risk run a few at a time.
 * A message near its limit runs alone.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  #mode: QuarantineMode = 'oneByOne';
  #hasSeenNoRisk = false;
  #isPulling = false;
  /** Number of the channel, by which the answer to a pull of an earlier channel is recognised and ignored. */
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

  /** A new channel is open: the deliveries of the old one are lost, and nothing arrives that is not pulled. */
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
    else void this.#pullMore();
  }

  get #isOneToRunAlone(): boolean {
    return this.#nearLimit.length > 0 || this.#runningAlone !== undefined;
  }

  /** Waits until all other deliveries are settled. Several messages near their limit may be held as long as none runs. */
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
    if (this.#isPulling || !this.#mayPull()) return;
    const channelNumber = this.#channelNumber;
    this.#isPulling = true;
    const isFound = await this.#options.pull();
    if (channelNumber !== this.#channelNumber) return;
    this.#isPulling = false;
    // An empty queue holds no returned message any more, so messages may be delivered by the prefetch.
    if (!isFound && !this.#isOneToRunAlone) this.#enter('prefetch');
    this.onChange();
  }

  #mayPull(): boolean {
    const { suspectConcurrency, maxInFlight, unsettledCount, isPaused } = this.#options;
    if (this.#mode === 'prefetch' || this.#isOneToRunAlone || !isPaused()) return false;
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
 * Counts how often the broker took a message back from this process while the process lived on. The broker counts a lost
 * connection like a crash; only the process itself knows the difference.
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

  /** @param messageId undefined where the publisher set none: such a message cannot be recognised. */
  add(messageId: string | undefined): void {
    if (messageId === undefined) return;
    const count = this.countOf(messageId) + 1;
    // The id is deleted first, so that the map is in the order of the latest return.
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
