/** A heartbeat: whoever is alive beats now and then; who has not for long is stuck. */
const LIMIT_MS = 60_000;

export class Heartbeat {
  readonly #limitMs: number;
  #beatAtMs = performance.now();

  /** @param limitMs longer than any pause between beats of somebody alive; default a minute. */
  constructor(limitMs = LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  beat(): void {
    this.#beatAtMs = performance.now();
  }

  /** @returns why it counts as stuck, else undefined. */
  check(): string | undefined {
    const silentMs = performance.now() - this.#beatAtMs;
    if (silentMs <= this.#limitMs) return undefined;
    return `no sign of life for ${Math.round(silentMs / 1_000)} s`;
  }
}
