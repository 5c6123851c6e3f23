/**
 * Liveness of a loop: the loop calls `beat` whenever it makes progress. If the last call is longer ago than the limit, the
 * loop counts as stuck.
 */
const DEFAULT_LIMIT_MS = 60_000;

export class Heartbeat {
  readonly #limitMs: number;
  #lastBeatAtMs = performance.now();

  /** @param limitMs longer than the longest pause between two beats of a loop that works; default 60,000. */
  constructor(limitMs = DEFAULT_LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  beat(): void {
    this.#lastBeatAtMs = performance.now();
  }

  /** @returns the reason why the loop counts as stuck, else undefined. */
  check(): string | undefined {
    const silentMs = performance.now() - this.#lastBeatAtMs;
    if (silentMs <= this.#limitMs) return undefined;
    return `no sign of life for ${Math.round(silentMs / 1_000)} s`;
  }
}
