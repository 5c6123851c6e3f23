/**
 * A message that may have ended a worker runs alone, so that it takes no neighbour along: whatever its worker holds
 * beside it gets a crash counted at each crash, and with a limit of 3 and a prefetch of 50 that put 49 innocents into the
 * dead-letter queue (measured, 3.10.8).
 */
import type { Delivery } from '../amqp/delivery.ts';

export interface QuarantineOptions {
  readonly isSuspect: (delivery: Delivery) => boolean;
  /** Before 4.3 giving back counts like a crash: false where one more would reach the limit. */
  readonly mayGiveBack: (delivery: Delivery) => boolean;
  /** Deliveries of this worker that are not settled, suspects included. */
  readonly unsettledCount: () => number;
  /** True once the pause that was asked for is in force. */
  readonly isPaused: () => boolean;
  readonly run: (delivery: Delivery) => void;
  /** The mode is another. */
  readonly onMode: (mode: QuarantineMode) => void;
}

/** paused: takes nothing. alone: one at a time. open: as many as the worker is made for. */
export type QuarantineMode = 'paused' | 'alone' | 'open';

/**
 * Begins alone: after a crash the broker hands out first what the dead worker held. The first delivery without a trace
 * of a crash opens it.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  #mode: QuarantineMode = 'alone';
  /** Suspects that have not been run. */
  #held: Delivery[] = [];

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  get mode(): QuarantineMode {
    return this.#mode;
  }

  /** A new channel, which takes one at a time: what was held is somebody else's by now. */
  reset(): void {
    this.#held = [];
    this.#enter('alone');
  }

  admit(delivery: Delivery): void {
    if (this.#options.isSuspect(delivery)) {
      this.#held.push(delivery);
      if (this.#mode === 'open') this.#enter('paused');
      this.onChange();
      return;
    }
    if (this.#mode === 'alone') this.#enter('open');
    this.#options.run(delivery);
  }

  /** To be called after each settled delivery, and when a pause is in force. */
  onChange(): void {
    // With others in hand a suspect waits until these are settled; they are no risk to each other.
    if (this.#options.unsettledCount() > this.#held.length) return;
    if (this.#held.length > 0) this.#runFirst();
    else if (this.#mode === 'paused') this.#enter('alone');
  }

  #runFirst(): void {
    if (this.#mode === 'paused' && !this.#options.isPaused()) return;
    const [suspect, ...others] = this.#held;
    if (suspect === undefined) return;
    this.#held = others.filter((other) => !this.#options.mayGiveBack(other));
    for (const other of others) if (!this.#held.includes(other)) other.giveBack();
    this.#options.run(suspect);
  }

  #enter(mode: QuarantineMode): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#options.onMode(mode);
  }
}
