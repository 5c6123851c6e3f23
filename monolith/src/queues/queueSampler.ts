/** Looks at every queue every five seconds, and remembers the last minute: broker away, the last values stand. */
import { CachedSource, type Freshness } from '../cachedSource.ts';
import type { QueueSample, SampleReader } from './readSample.ts';
import { WINDOW_MS } from './trend.ts';

export interface TimedSample extends QueueSample {
  readonly atMs: number;
}

const INTERVAL_MS = 5_000;
/** Two intervals and a slow answer. */
const STALE_MS = 13_000;

export class QueueSampler {
  readonly #reader: SampleReader;
  readonly #source: CachedSource<TimedSample>;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners: ((sample: TimedSample) => void)[] = [];
  #samples: readonly TimedSample[] = [];

  constructor(reader: SampleReader, intervalMs = INTERVAL_MS) {
    this.#reader = reader;
    this.#source = new CachedSource({ ask: () => this.#sample(), staleMs: STALE_MS });
    this.#timer = setInterval(() => void this.#source.refresh(), intervalMs);
    void this.#source.refresh();
  }

  /** Oldest first, of the last minute before the newest. */
  get samples(): readonly TimedSample[] {
    return this.#samples;
  }

  freshness(now: Date): Freshness {
    return this.#source.freshness(now);
  }

  /** Told of each new sample. */
  onSample(listener: (sample: TimedSample) => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reader.close();
  }

  async #sample(): Promise<TimedSample> {
    const sample = { ...(await this.#reader.read()), atMs: Date.now() };
    // Left-open, as the ranges of Prometheus 3 are: twelve samples, never more than fit into the window.
    const since = sample.atMs - WINDOW_MS;
    this.#samples = [...this.#samples.filter(({ atMs }) => atMs > since), sample];
    for (const listener of this.#listeners) listener(sample);
    return sample;
  }
}
