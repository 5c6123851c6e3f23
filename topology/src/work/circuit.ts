/** The breaker with its clock: pauses a worker, and lets one message through when the pause is over. */
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitBreakerState,
} from '../retry/breaker.ts';

export class Circuit {
  readonly #breaker: CircuitBreaker | undefined;
  readonly #onState: (state: CircuitBreakerState) => void;
  #type: CircuitBreakerState['type'] = 'closed';
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: CircuitBreakerOptions | false,
    onState: (state: CircuitBreakerState) => void,
  ) {
    this.#breaker = options === false ? undefined : new CircuitBreaker(options);
    this.#onState = onState;
  }

  /** How many messages may be in work. */
  get allowedCount(): number {
    return { closed: Infinity, open: 0, probing: 1 }[this.#type];
  }

  /** Raised whenever the breaker opens. */
  get turn(): number {
    return this.#turn;
  }

  /** @returns true for a message that was taken before the breaker opened, or arrived since. */
  isClosedTo(turn: number): boolean {
    return this.#type === 'open' || turn !== this.#turn;
  }

  /** @param failure error class of an attempt that asks for another; undefined where it does not. */
  record(failure: string | undefined): void {
    if (this.#breaker !== undefined) this.#enter(this.#breaker.record(failure));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #enter(state: CircuitBreakerState): void {
    if (state.type === this.#type) return;
    this.#type = state.type;
    if (state.type === 'open') {
      this.#turn += 1;
      this.#timer = setTimeout(() => {
        if (this.#breaker !== undefined) this.#enter(this.#breaker.probe());
      }, state.pauseMs);
    }
    this.#onState(state);
  }
}
