/**
 * Counts wrong tokens by address, so that a burst of them is logged once and answered with 429.
 *
 * The right token is always accepted. Behind a reverse proxy all clients have one address, and a stranger must not be able to lock the
 * administrator out. The length of the token makes guessing hopeless; this limit keeps the log readable. The address is that of the
 * connection, because a client can write any address into X-Forwarded-For. rate-limiter-flexible was not taken: its memory store keeps
 * a record and a timer for each address without a bound.
 */

/** Wrong tokens of one address within `WRONG_TOKEN_WINDOW_MS` that are answered with 401; further ones with 429. */
export const WRONG_TOKEN_LIMIT = 20;
export const WRONG_TOKEN_WINDOW_MS = 60_000;
/** Addresses counted at a time; one more drops the address whose window began first. */
export const WRONG_TOKEN_ADDRESSES = 1_000;

export interface WrongTokenBurst {
  readonly address: string;
  /** Wrong tokens in this window so far. */
  readonly count: number;
}

export class WrongTokens {
  readonly #onBurst: (burst: WrongTokenBurst) => void;
  readonly #now: () => number;
  /** In the order in which their windows began. */
  readonly #windows = new Map<string, { readonly startedAtMs: number; count: number }>();

  /**
   * @param onBurst called once in each window, when its limit is exceeded.
   * @param now a monotonic clock in milliseconds; default `performance.now`.
   */
  constructor(
    onBurst: (burst: WrongTokenBurst) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#onBurst = onBurst;
    this.#now = now;
  }

  get addressCount(): number {
    return this.#windows.size;
  }

  /** @returns after how many whole seconds the address may try again; undefined if it is within the limit. */
  count(address: string): number | undefined {
    const nowMs = this.#now();
    let window = this.#windows.get(address);
    if (window === undefined || nowMs - window.startedAtMs >= WRONG_TOKEN_WINDOW_MS) {
      window = { startedAtMs: nowMs, count: 0 };
      // The entry is deleted first, so that it becomes the last one of the map.
      this.#windows.delete(address);
      this.#windows.set(address, window);
      const [oldest] = this.#windows.keys();
      if (this.#windows.size > WRONG_TOKEN_ADDRESSES && oldest !== undefined)
        this.#windows.delete(oldest);
    }
    window.count += 1;
    if (window.count <= WRONG_TOKEN_LIMIT) return undefined;
    if (window.count === WRONG_TOKEN_LIMIT + 1) this.#onBurst({ address, count: window.count });
    return Math.ceil((window.startedAtMs + WRONG_TOKEN_WINDOW_MS - nowMs) / 1_000);
  }
}
