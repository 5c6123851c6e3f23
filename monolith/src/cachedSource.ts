/** The last answer of a source that may be slow or away: kept, with its age, so that nobody waits for it for long. */
import Type, { type Static } from 'typebox';

export const Freshness = Type.Object({
  /** True where the answer is older than it should be, or where there was none yet. */
  isStale: Type.Boolean(),
  /** When the source last answered; null: never. */
  answeredAt: Type.Union([Type.String(), Type.Null()]),
  ageSeconds: Type.Union([Type.Number(), Type.Null()]),
  /** Since when its state is unknown; null while it is known. */
  unknownSince: Type.Union([Type.String(), Type.Null()]),
  /** Why the last question had no answer. */
  reason: Type.Union([Type.String(), Type.Null()]),
});
export type Freshness = Static<typeof Freshness>;

export interface CachedSourceOptions<Value> {
  readonly ask: () => Promise<Value>;
  /** An answer older than this is stale. */
  readonly staleMs: number;
}

export class CachedSource<Value> {
  readonly #options: CachedSourceOptions<Value>;
  readonly #openedAt = new Date();
  #value: Value | undefined;
  #answeredAt: Date | undefined;
  #reason: string | null = null;
  #asking: Promise<void> | undefined;

  constructor(options: CachedSourceOptions<Value>) {
    this.#options = options;
  }

  /** Undefined before the first answer. */
  get value(): Value | undefined {
    return this.#value;
  }

  /** Asks, one question at a time, however many call. Never rejects. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Asks where the answer is older than `maxAgeMs`, and comes back after `waitMs` at the latest. */
  async refreshed(bounds: { readonly maxAgeMs: number; readonly waitMs: number }): Promise<void> {
    const ageMs = Date.now() - (this.#answeredAt?.getTime() ?? 0);
    if (ageMs <= bounds.maxAgeMs) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, bounds.waitMs);
    });
    await Promise.race([this.refresh(), late]);
    clearTimeout(timer);
  }

  freshness(now: Date): Freshness {
    const answeredAt = this.#answeredAt;
    const ageMs = answeredAt === undefined ? undefined : now.getTime() - answeredAt.getTime();
    const isStale = ageMs === undefined || ageMs > this.#options.staleMs;
    return {
      isStale,
      answeredAt: answeredAt?.toISOString() ?? null,
      ageSeconds: ageMs === undefined ? null : Math.max(0, Math.round(ageMs / 100) / 10),
      unknownSince: isStale ? (answeredAt ?? this.#openedAt).toISOString() : null,
      reason: this.#reason,
    };
  }

  async #ask(): Promise<void> {
    try {
      this.#value = await this.#options.ask();
      this.#answeredAt = new Date();
      this.#reason = null;
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
    }
  }
}
