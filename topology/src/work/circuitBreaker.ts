/**
 * Circuit breaker: if most attempts fail with the same error class, the jobs are not the cause, so the worker pauses
 * instead of spending attempts.
 */
import { type Clock, type ClockTimer, SYSTEM_CLOCK } from './clock.ts';

/** When the circuit breaker opens, and for how long. */
export interface CircuitBreakerOptions {
  /**
   * Number of latest attempts that are examined; default 20; at least 1. The circuit breaker stays closed until that many
   * attempts have ended.
   */
  readonly sampleSize?: number;
  /**
   * Share of the sample that must have failed with one error class; default 0.8; above 0, at most 1.
   */
  readonly failureRatio?: number;
  /** First pause in milliseconds; default 1,000. It doubles with every failed probe. */
  readonly pauseMs?: number;
  /** Longest pause in milliseconds; default 60,000. */
  readonly longestPauseMs?: number;
  /**
   * True for an error that the job itself causes: an attempt that fails with it counts as a success. What it throws counts as
   * false. Default: none.
   */
  readonly ignores?: (error: unknown) => boolean;
}

/**
 * closed: messages are consumed. open: no message is consumed until the pause is over. probing: one message is consumed,
 * and its outcome decides whether the circuit breaker closes or opens again.
 */
export type CircuitBreakerState =
  | { readonly type: 'closed' }
  | { readonly type: 'open'; readonly pauseMs: number; readonly errorClass: string }
  | { readonly type: 'probing'; readonly pauseMs: number; readonly errorClass: string };

const DEFAULTS = {
  sampleSize: 20,
  failureRatio: 0.8,
  pauseMs: 1_000,
  longestPauseMs: 60_000,
  ignores: (): boolean => false,
};

/** Counts the ends of attempts and changes its state; the worker obeys `maxInFlight`. */
export class CircuitBreaker {
  readonly #options: Required<CircuitBreakerOptions> | undefined;
  readonly #onState: (state: CircuitBreakerState) => void;
  /** Error classes of the latest attempts, oldest first; undefined for one that did not fail. */
  readonly #sample: (string | undefined)[] = [];
  #state: CircuitBreakerState = { type: 'closed' };
  #openingCount = 0;
  /** True from `hold` until it closes. */
  #isHolding = false;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;

  /**
   * @param options false switches the circuit breaker off: only `hold` opens it.
   * @param onState is called with each new state.
   */
  constructor(
    options: CircuitBreakerOptions | false,
    onState: (state: CircuitBreakerState) => void,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.#options = options === false ? undefined : { ...DEFAULTS, ...options };
    this.#onState = onState;
    this.#clock = clock;
  }

  get state(): CircuitBreakerState {
    return this.#state;
  }

  /** Messages that may be in flight at a time. */
  get maxInFlight(): number {
    return { closed: Infinity, open: 0, probing: 1 }[this.#state.type];
  }

  /** How often the circuit breaker has opened. */
  get openingCount(): number {
    return this.#openingCount;
  }

  /** @returns true if it is open, or has opened since it had opened `openingCount` times. */
  hasOpenedSince(openingCount: number): boolean {
    return this.#state.type === 'open' || openingCount !== this.#openingCount;
  }

  /**
   * Counts an attempt that ended. Attempts that end while the circuit breaker is open began before, so they do not change
   * its state.
   * @param errorClass undefined if the attempt did not fail.
   * @param error what it failed with.
   */
  record(errorClass: string | undefined, error?: unknown): void {
    if (this.#state.type === 'open') return;
    const failure = errorClass !== undefined && this.#ignores(error) ? undefined : errorClass;
    if (this.#state.type === 'probing') {
      // After `hold` every other end shows that what was down is up.
      if (failure === undefined || this.#isHolding) this.#close();
      else this.#openAgain(failure, this.#state.pauseMs);
      return;
    }
    if (this.#options === undefined) return;
    const { sampleSize, pauseMs } = this.#options;
    this.#sample.push(failure);
    if (this.#sample.length > sampleSize) this.#sample.shift();
    // A success does not open the circuit breaker, although enough older failures may still be in the sample.
    const commonClass = failure === undefined ? undefined : this.#commonErrorClass(this.#options);
    if (commonClass !== undefined) this.#open(commonClass, pauseMs);
  }

  /** Opens at once: a handler has said that something which it needs is down. */
  hold(errorClass: string): void {
    if (this.#state.type === 'open') return;
    this.#isHolding = true;
    if (this.#state.type === 'probing') this.#openAgain(errorClass, this.#state.pauseMs);
    else this.#open(errorClass, this.#options?.pauseMs ?? DEFAULTS.pauseMs);
  }

  /** Ends the pause timer, which would keep the process running. */
  stop(): void {
    this.#timer?.cancel();
  }

  #ignores(error: unknown): boolean {
    try {
      return this.#options?.ignores(error) === true;
    } catch {
      return false;
    }
  }

  #close(): void {
    this.#sample.length = 0;
    this.#isHolding = false;
    this.#state = { type: 'closed' };
    this.#onState(this.#state);
  }

  #openAgain(errorClass: string, pauseMs: number): void {
    const longestPauseMs = this.#options?.longestPauseMs ?? DEFAULTS.longestPauseMs;
    this.#open(errorClass, Math.min(pauseMs * 2, longestPauseMs));
  }

  #open(errorClass: string, pauseMs: number): void {
    this.#openingCount += 1;
    this.#state = { type: 'open', pauseMs, errorClass };
    this.#timer = this.#clock.after(pauseMs, () => {
      this.#state = { type: 'probing', pauseMs, errorClass };
      this.#onState(this.#state);
    });
    this.#onState(this.#state);
  }

  /** @returns the error class that enough of a full sample failed with. */
  #commonErrorClass({
    sampleSize,
    failureRatio,
  }: Required<CircuitBreakerOptions>): string | undefined {
    if (this.#sample.length < sampleSize) return undefined;
    const byClass = Map.groupBy(this.#sample, (errorClass) => errorClass);
    return [...byClass].find(
      ([errorClass, ends]) => errorClass !== undefined && ends.length >= sampleSize * failureRatio,
    )?.[0];
  }
}
