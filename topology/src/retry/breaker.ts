/** Circuit breaker: when most attempts fail alike, the cause is not the jobs; stop spending their attempts on it. */

export interface CircuitBreakerOptions {
  /** Latest attempts that are looked at; default 20. Until there are as many, nothing opens. */
  readonly sampleSize?: number;
  /** Share of them that must have failed with one error class; default 0.8. */
  readonly failureRatio?: number;
  /** First pause; default 1,000 ms. Doubles with every failed probe. */
  readonly pauseMs?: number;
  /** Longest pause; default 60,000 ms. */
  readonly longestPauseMs?: number;
  /** Error classes that tell of the job and not of the world around it; they count as successes. Default none. */
  readonly ignored?: readonly string[];
}

/** closed: all runs. open: nothing is taken. probing: one message decides. */
export type CircuitBreakerState =
  /** Consuming. */
  | { readonly type: 'closed' }
  /** Not consuming until the pause is over. */
  | { readonly type: 'open'; readonly pauseMs: number; readonly errorClass: string }
  /** One message at a time; its end decides. */
  | { readonly type: 'probing'; readonly pauseMs: number; readonly errorClass: string };

const DEFAULTS = {
  windowCount: 20,
  failureRatio: 0.8,
  pauseMs: 1_000,
  longestPauseMs: 60_000,
  ignored: [] as readonly string[],
};

/** Decides only; the worker pauses and resumes. */
export class CircuitBreaker {
  readonly #options: typeof DEFAULTS;
  #window: (string | undefined)[] = [];
  #state: CircuitBreakerState = { type: 'closed' };

  constructor(options: CircuitBreakerOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  get state(): CircuitBreakerState {
    return this.#state;
  }

  /**
   * Tells of an attempt that ended.
   * @param errorClass undefined where it did not fail.
   * @returns the state after it. Ends that come while open are of attempts begun before, and decide nothing.
   */
  record(errorClass: string | undefined): CircuitBreakerState {
    const failed = this.#options.ignored.includes(errorClass ?? '') ? undefined : errorClass;
    if (this.#state.type === 'probing') return this.#endProbe(failed, this.#state);
    if (this.#state.type === 'open') return this.#state;
    this.#window = [...this.#window, failed].slice(-this.#options.windowCount);
    // Only a failure can open it.
    const common = failed === undefined ? undefined : this.#commonFailure();
    if (common !== undefined)
      this.#state = { type: 'open', pauseMs: this.#options.pauseMs, errorClass: common };
    return this.#state;
  }

  /** The pause is over: let one message through. */
  probe(): CircuitBreakerState {
    if (this.#state.type === 'open') this.#state = { ...this.#state, type: 'probing' };
    return this.#state;
  }

  #endProbe(
    failed: string | undefined,
    probing: CircuitBreakerState & { type: 'probing' },
  ): CircuitBreakerState {
    if (failed === undefined) {
      this.#window = [];
      this.#state = { type: 'closed' };
    } else {
      const pauseMs = Math.min(probing.pauseMs * 2, this.#options.longestPauseMs);
      this.#state = { type: 'open', pauseMs, errorClass: failed };
    }
    return this.#state;
  }

  /** @returns the class that enough of the window failed with. */
  #commonFailure(): string | undefined {
    const { windowCount, failureRatio } = this.#options;
    if (this.#window.length < windowCount) return undefined;
    const byClass = Map.groupBy(this.#window, (errorClass) => errorClass);
    return [...byClass].find(
      ([errorClass, ends]) => errorClass !== undefined && ends.length >= windowCount * failureRatio,
    )?.[0];
  }
}
