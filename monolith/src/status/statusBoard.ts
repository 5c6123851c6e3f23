/** The state of everything in one piece, for a page and for scripts: read on demand, told to readers when it changes. */
import { dayIn } from '@fit/contract';
import type { EventStreams } from '@fit/service';
import type { QueuePlan } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { type AlertList, AlertReport } from '../alerts/alertReport.ts';
import { CachedSource } from '../cachedSource.ts';
import type { QueueSampler } from '../queues/queueSampler.ts';
import { QueueReport, queueStatus } from '../queues/queueStatus.ts';
import { type TodayFacts, TodayReport, todayReport, unknownToday } from './todayReport.ts';

export const Status = Type.Object({
  at: Type.String(),
  today: TodayReport,
  alerts: AlertReport,
  queues: QueueReport,
});
export type Status = Static<typeof Status>;

export interface StatusBoardOptions {
  readonly queues: readonly QueuePlan[];
  readonly sampler: Pick<QueueSampler, 'samples' | 'freshness'>;
  readonly askAlerts: () => Promise<AlertList>;
  readonly askToday: () => Promise<TodayFacts>;
  readonly timezone: string;
  readonly streams: EventStreams;
}

const TICK_MS = 1_000;
/** No answer waits for a slow source longer than this; it says instead how old it is. */
const WAIT_MS = 2_200;
const ALERTS_AGE_MS = 4_000;
const TODAY_AGE_MS = 2_000;
const STALE_MS = 13_000;
/** Counting every job of a large run takes the store a while, and it may be busy. */
const TODAY_STALE_MS = 20_000;
/** These change with each answer, and with nothing else. */
const CLOCKS: ReadonlySet<string> = new Set(['at', 'answeredAt', 'ageSeconds']);

export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #alerts: CachedSource<AlertList>;
  readonly #today: CachedSource<TodayFacts>;
  readonly #timer: NodeJS.Timeout;
  #told = '';
  #toldAtMs = 0;
  #number = 0;
  #telling: Promise<void> | undefined;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#alerts = new CachedSource({ ask: options.askAlerts, staleMs: STALE_MS });
    this.#today = new CachedSource({ ask: options.askToday, staleMs: TODAY_STALE_MS });
    // Nobody watches: nobody is asked.
    this.#timer = setInterval(() => {
      if (options.streams.readerCount > 0) void this.tell();
    }, TICK_MS);
    this.#timer.unref();
  }

  async read(): Promise<Status> {
    await Promise.all([
      this.#alerts.refreshed({ maxAgeMs: ALERTS_AGE_MS, waitMs: WAIT_MS }),
      this.#refreshToday(),
    ]);
    const now = new Date();
    return {
      at: now.toISOString(),
      today: this.#readToday(now),
      alerts: { ...(this.#alerts.value ?? NO_ALERTS), freshness: this.#alerts.freshness(now) },
      queues: this.#readQueues(now),
    };
  }

  async readQueues(): Promise<QueueReport> {
    await this.#refreshToday();
    return this.#readQueues(new Date());
  }

  /** One reading at a time, sent where it differs from the last one by more than a clock; once a second at most. */
  tell(): Promise<void> {
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
    });
    return this.#telling;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tell(): Promise<void> {
    // Many readers may come at once; what was told a moment ago is what they begin with.
    if (Date.now() - this.#toldAtMs < TICK_MS) return;
    const status = await this.read();
    const text = JSON.stringify(status, (key, value: unknown) =>
      CLOCKS.has(key) ? undefined : value,
    );
    const { streams } = this.#options;
    const event = { name: 'status', data: JSON.stringify(status) };
    if (text === this.#told) {
      // Or the next reader would begin with the clock of the last change, and tell every age by it.
      streams.setInitialEvent({ ...event, id: String(this.#number) });
      return;
    }
    this.#told = text;
    this.#toldAtMs = Date.now();
    this.#number += 1;
    streams.send({ ...event, id: String(this.#number) });
  }

  async #refreshToday(): Promise<void> {
    await this.#today.refreshed({ maxAgeMs: TODAY_AGE_MS, waitMs: WAIT_MS });
  }

  #readToday(now: Date): TodayReport {
    const facts = this.#today.value;
    const freshness = this.#today.freshness(now);
    if (facts === undefined || freshness.answeredAt === null)
      return { ...unknownToday(dayIn(this.#options.timezone, now)), freshness };
    // As of its answer: with the store away, the age of what may be long done must not go on growing.
    return { ...todayReport(facts, new Date(freshness.answeredAt)), freshness };
  }

  #readQueues(now: Date): QueueReport {
    const { queues, sampler } = this.#options;
    const { samples } = sampler;
    const facts = { samples, now, oldestQueuedAt: this.#today.value?.oldest.queued };
    return {
      source: samples.at(-1)?.source ?? null,
      freshness: sampler.freshness(now),
      queues: queues.map((queue) => queueStatus(queue, facts)),
    };
  }
}

const NO_ALERTS: AlertList = { isEvaluated: false, firing: [], pending: [], unlistedCount: 0 };
