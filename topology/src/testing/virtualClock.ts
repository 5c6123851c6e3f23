/** A clock that moves only when it is told to, so that a wait of a week takes no time. */
import type { Clock, ClockTimer } from '../work/clock.ts';

/** 1 January 2026, UTC: a fixed date, so that two simulations of one seed are equal. */
const EPOCH_MS = 1_767_225_600_000;

interface VirtualTimer extends ClockTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Starts at 0. */
export class VirtualClock implements Clock {
  readonly #random: () => number;
  /** In the order in which they were set. */
  readonly #timers = new Set<VirtualTimer>();
  #nowMs = 0;

  /** @param random a number of at least 0 and below 1: chooses among timers that are due at the same time. */
  constructor(random: () => number = () => 0) {
    this.#random = random;
  }

  elapsedMs(): number {
    return this.#nowMs;
  }

  date(): Date {
    return new Date(EPOCH_MS + this.#nowMs);
  }

  after(delayMs: number, callback: () => void): ClockTimer {
    const timer: VirtualTimer = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      callback,
      cancel: () => {
        this.#timers.delete(timer);
      },
      // No process waits for virtual time.
      unref: () => undefined,
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Milliseconds at which the next timer is due; undefined without one. */
  get nextDueMs(): number | undefined {
    let nextMs: number | undefined;
    for (const { dueMs } of this.#timers)
      if (nextMs === undefined || dueMs < nextMs) nextMs = dueMs;
    return nextMs;
  }

  /** Moves to the time of the next timer and calls it. Does nothing without a timer. */
  runNext(): void {
    const nextMs = this.nextDueMs;
    if (nextMs === undefined) return;
    const due = [...this.#timers].filter(({ dueMs }) => dueMs === nextMs);
    const timer = due[Math.floor(this.#random() * due.length)];
    if (timer === undefined) return;
    this.#timers.delete(timer);
    this.#nowMs = nextMs;
    timer.callback();
  }

  /** Moves without calling timers: those before that time must have run. */
  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }
}

/** @returns numbers of at least 0 and below 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
