/**
 * The status of the whole system as one document: today's workouts, alerts, queues. It is read on demand, and broadcast to
 * the readers of the event stream when it changes.
 */
import { dayIn } from '@fit/contract';
import { EventStreams, type Settings } from '@fit/service';
import { type Declaration, planTopology, type QueuePlan } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { CachedSource } from '../cachedSource.ts';
import { type DepthOf, openSampleReader, QueueSampler } from '../queues/queueSampler.ts';
import { type QueueFacts, QueueReport, queueStatus } from '../queues/queueStatus.ts';
import type { MonolithConfig } from '../readMonolithConfig.ts';
import { type AlertList, AlertReport, readAlerts } from './alertReport.ts';
import {
  readToday,
  type TodayFacts,
  TodayReport,
  type TodaySources,
  todayReport,
  unknownToday,
} from './todayReport.ts';

export const Status = Type.Object({
  /** When the status was put together. */
  at: Type.String(),
  today: TodayReport,
  alerts: AlertReport,
  queues: QueueReport,
});
export type Status = Static<typeof Status>;

export interface StatusBoardOptions {
  readonly queues: readonly QueuePlan[];
  readonly sampler: Pick<QueueSampler, 'samples' | 'freshness'>;
  /** @returns the pause of a queue; undefined where it is not paused. */
  readonly pauseOf: QueueFacts['pauseOf'];
  readonly readAlerts: () => Promise<AlertList>;
  readonly readToday: () => Promise<TodayFacts>;
  /** The time zone whose day is today, as an IANA name. */
  readonly timezone: string;
  readonly streams: EventStreams;
}

const BROADCAST_INTERVAL_MS = 1_000;
/** A reply waits at most this long for a slow source; after that it carries the last answer and its age. */
const SOURCE_WAIT_MS = 2_200;
const ALERTS_MAX_AGE_MS = 4_000;
const ALERTS_STALE_AFTER_MS = 13_000;
const TODAY_MAX_AGE_MS = 2_000;
/** Longer than for alerts, because the answer of a busy database may take seconds. */
const TODAY_STALE_AFTER_MS = 20_000;
/** Fields that change with every reading, so a change of them alone is not broadcast. */
const CLOCK_FIELDS: ReadonlySet<string> = new Set(['at', 'asOf', 'answeredAt', 'ageSeconds']);
const NO_ALERTS: AlertList = {
  isEvaluated: false,
  notifier: 'silent',
  firing: [],
  pending: [],
  unlistedCount: 0,
};

export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #alerts: CachedSource<AlertList>;
  readonly #today: CachedSource<TodayFacts>;
  readonly #timer: NodeJS.Timeout;
  /** The last broadcast without its clock fields. */
  #lastContent = '';
  #lastBroadcastAtMs = 0;
  #eventId = 0;
  #broadcasting: Promise<void> | undefined;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#alerts = new CachedSource({
      read: options.readAlerts,
      staleAfterMs: ALERTS_STALE_AFTER_MS,
    });
    this.#today = new CachedSource({
      read: options.readToday,
      staleAfterMs: TODAY_STALE_AFTER_MS,
    });
    // Without readers no source is read.
    this.#timer = setInterval(() => {
      if (options.streams.readerCount > 0) void this.broadcast();
    }, BROADCAST_INTERVAL_MS);
    this.#timer.unref();
  }

  async read(): Promise<Status> {
    await Promise.all([this.#refreshAlerts(), this.#refreshToday()]);
    const now = new Date();
    return {
      at: now.toISOString(),
      today: this.#todayAt(now),
      alerts: this.#alertsAt(now),
      queues: this.#queuesAt(now),
    };
  }

  async readQueues(): Promise<QueueReport> {
    await this.#refreshToday();
    return this.#queuesAt(new Date());
  }

  /** @returns the alerts; before the first answer, and while Prometheus does not answer, they are not known. */
  async readAlerts(): Promise<AlertReport> {
    await this.#refreshAlerts();
    return this.#alertsAt(new Date());
  }

  /**
   * Sends the status to all readers if it differs from the last broadcast by more than clock fields; once a second at
   * most. Calls during a broadcast share it.
   */
  broadcast(): Promise<void> {
    this.#broadcasting ??= this.#broadcast().finally(() => {
      this.#broadcasting = undefined;
    });
    return this.#broadcasting;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #broadcast(): Promise<void> {
    // Many readers may connect at once; each begins with the last broadcast, so they need none of their own.
    if (Date.now() - this.#lastBroadcastAtMs < BROADCAST_INTERVAL_MS) return;
    const status = await this.read();
    const content = JSON.stringify(status, (key, value: unknown) =>
      CLOCK_FIELDS.has(key) ? undefined : value,
    );
    const { streams } = this.#options;
    const data = JSON.stringify(status);
    if (content === this.#lastContent) {
      // A new reader begins with this event. With the clock of the last change it would compute every age wrongly.
      streams.setInitialEvent({ name: 'status', data, id: String(this.#eventId) });
      return;
    }
    this.#lastContent = content;
    this.#lastBroadcastAtMs = Date.now();
    this.#eventId += 1;
    streams.send({ name: 'status', data, id: String(this.#eventId) });
  }

  async #refreshAlerts(): Promise<void> {
    await this.#alerts.refreshIfOlder({ maxAgeMs: ALERTS_MAX_AGE_MS, waitMs: SOURCE_WAIT_MS });
  }

  #alertsAt(now: Date): AlertReport {
    return { ...(this.#alerts.value ?? NO_ALERTS), freshness: this.#alerts.freshness(now) };
  }

  async #refreshToday(): Promise<void> {
    await this.#today.refreshIfOlder({ maxAgeMs: TODAY_MAX_AGE_MS, waitMs: SOURCE_WAIT_MS });
  }

  #todayAt(now: Date): TodayReport {
    const facts = this.#today.value;
    const freshness = this.#today.freshness(now);
    if (facts === undefined || freshness.answeredAt === null)
      return { ...unknownToday(dayIn(this.#options.timezone, now)), freshness };
    return { ...todayReport(facts), freshness };
  }

  #queuesAt(now: Date): QueueReport {
    const { queues, sampler, pauseOf } = this.#options;
    const { samples } = sampler;
    const freshness = sampler.freshness(now);
    const facts = {
      samples,
      now,
      pauseOf,
      oldestQueuedAt: this.#today.value?.figures.oldest.queued,
    };
    return {
      source: samples.at(-1)?.source ?? null,
      asOf: freshness.answeredAt,
      freshness,
      queues: queues.map((queue) => queueStatus(queue, facts)),
    };
  }
}

/** The status board with the sampler that it reads and the streams that it broadcasts to. */
export interface OpenStatus {
  readonly board: StatusBoard;
  readonly streams: EventStreams;
  readonly sampler: QueueSampler;
  stop(): void;
}

/** The status needs names, roles, limits and time-to-live of the queues, and these do not depend on the broker. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;

/** Never fails at the start: a source that does not answer is reported by the status itself. */
export function openStatus(
  config: MonolithConfig,
  declaration: Declaration,
  stores: Pick<TodaySources, 'jobs' | 'runs' | 'wodRuns' | 'batches' | 'clock'>,
  {
    settings,
    depthOf,
  }: { readonly settings: Pick<Settings, 'pauseOf'>; readonly depthOf: DepthOf },
): OpenStatus {
  const { queues } = planTopology(declaration, ANY_BROKER);
  const queueNames = queues.map(({ name }) => name);
  const kinds = declaration.kinds.map(({ kind }) => kind);
  const { jobs, runs, wodRuns, batches, clock } = stores;
  const { timezone } = config;
  const sampler = new QueueSampler(openSampleReader({ ...config, queueNames, depthOf }));
  const streams = new EventStreams();
  const board = new StatusBoard({
    queues,
    sampler,
    streams,
    timezone,
    pauseOf: (queue) => settings.pauseOf(queue),
    readAlerts: () => readAlerts(config),
    readToday: () => readToday({ jobs, runs, wodRuns, batches, clock, kinds, timezone }),
  });
  return {
    board,
    streams,
    sampler,
    stop: () => {
      board.stop();
      sampler.stop();
    },
  };
}
