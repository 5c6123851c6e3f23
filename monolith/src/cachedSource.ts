/**
 * The last answer of a source that may be slow or out of reach, with its age. Readers get that answer at once instead of
 * waiting for the source.
 */
import pTimeout from 'p-timeout';
import Type, { type Static } from 'typebox';

export const Freshness = Type.Object({
  /** True if the answer is older than its limit, or if there was none yet. */
  isStale: Type.Boolean(),
  /** When the source last answered; null: it never did. */
  answeredAt: Type.Union([Type.String(), Type.Null()]),
  ageSeconds: Type.Union([Type.Number(), Type.Null()]),
  /** Since when the state of the source is unknown; null while the answer is fresh. */
  unknownSince: Type.Union([Type.String(), Type.Null()]),
  /** Why the last read failed; null if it succeeded. */
  reason: Type.Union([Type.String(), Type.Null()]),
});
export type Freshness = Static<typeof Freshness>;

export interface CachedSourceOptions<Value> {
  /** Reads the source. An error keeps the last answer and becomes the `reason` of its freshness. */
  readonly read: () => Promise<Value>;
  /** An answer older than this is stale, in milliseconds. */
  readonly staleAfterMs: number;
}

/** Below the time that a reader notices; a database that is busy with a million jobs answers in two to eight times that. */
const SHORT_WAIT_MS = 50;

export class CachedSource<Value> {
  readonly #options: CachedSourceOptions<Value>;
  readonly #openedAt = new Date();
  #value: Value | undefined;
  #answeredAt: Date | undefined;
  #reason: string | null = null;
  #reading: Promise<void> | undefined;

  constructor(options: CachedSourceOptions<Value>) {
    this.#options = options;
  }

  /** The last answer; undefined before the first one. */
  get value(): Value | undefined {
    return this.#value;
  }

  /** Reads the source. Calls during a read share it, so a source that hangs gets one request. Never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /**
   * Reads the source if the answer is older than `maxAgeMs`. While the last answer is not stale, it is good enough to be shown
   * with its age, so the reader waits only a moment for a newer one.
   * @returns after `waitMs` at the latest; a slower read goes on and updates the answer later.
   */
  async refreshIfOlder(bounds: {
    readonly maxAgeMs: number;
    readonly waitMs: number;
  }): Promise<void> {
    const ageMs = Date.now() - (this.#answeredAt?.getTime() ?? 0);
    if (ageMs <= bounds.maxAgeMs) return;
    const isStale = ageMs > this.#options.staleAfterMs;
    const milliseconds = isStale ? bounds.waitMs : Math.min(bounds.waitMs, SHORT_WAIT_MS);
    await pTimeout(this.refresh(), { milliseconds, fallback: () => undefined });
  }

  freshness(now: Date): Freshness {
    const answeredAt = this.#answeredAt;
    const ageMs = answeredAt === undefined ? undefined : now.getTime() - answeredAt.getTime();
    const isStale = ageMs === undefined || ageMs > this.#options.staleAfterMs;
    return {
      isStale,
      answeredAt: answeredAt?.toISOString() ?? null,
      ageSeconds: ageMs === undefined ? null : Math.max(0, Math.round(ageMs / 100) / 10),
      unknownSince: isStale ? (answeredAt ?? this.#openedAt).toISOString() : null,
      reason: this.#reason,
    };
  }

  async #read(): Promise<void> {
    try {
      this.#value = await this.#options.read();
      this.#answeredAt = new Date();
      this.#reason = null;
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
    }
  }
}
