/**
 * Reads every queue of the broker every five seconds, for all readers of the process, and keeps the samples of the last minute. A
 * sample is one request to the management API, whose counts are up to 5 s old, and what AMQP says of ready messages and consumers
 * now. Where there is no management API or it does not answer, AMQP answers alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type QueueDepth, vhostOf } from '@fit/topology/amqp';
import { ManagementApi, readQueueCounts } from '@fit/topology/management';
import pTimeout from 'p-timeout';
import { CachedSource, type Freshness } from '../cachedSource.ts';
import { WINDOW_MS } from './trend.ts';

/** One queue at one moment; a value that the source does not report is undefined. */
export interface QueueReading {
  /** As old as the other counts of its source, so that rates are made of it. */
  readonly ready: number;
  /** The ready messages at the time of the sample, where the source of the others is older. */
  readonly readyNow?: number;
  readonly unacked?: number | undefined;
  /** Messages that the queue keeps until the next queue has capacity for them. */
  readonly awaitingTransfer?: number | undefined;
  readonly consumers: number;
  /** Deliveries to consumers since the broker started to count. */
  readonly delivered?: number;
  /** The limit that the broker enforces. Undefined in a reading of the management API: it enforces none. */
  readonly limitInForce?: number | undefined;
  /** When the oldest message was published. */
  readonly headAt?: Date | undefined;
}

export interface QueueSample {
  readonly source: 'management' | 'amqp';
  /** The queues by name. A queue that is not on the broker has no entry; the entry of one that is not counted yet is undefined. */
  readonly queues: ReadonlyMap<string, QueueReading | undefined>;
}

export interface TimedSample extends QueueSample {
  readonly atMs: number;
}

export interface SampleReader {
  /** @throws Error if neither the management API nor AMQP answers. */
  read(): Promise<QueueSample>;
}

/** Asks the broker by AMQP. @throws Error if it does not answer, with the code 404 where it has no such queue. */
export type DepthOf = (queue: string) => Promise<QueueDepth>;

export interface SampleReaderOptions {
  readonly amqpUrl: string;
  /** Undefined: samples are read by AMQP alone. */
  readonly managementUrl: string | undefined;
  readonly queueNames: readonly string[];
  readonly depthOf: DepthOf;
}

const INTERVAL_MS = 5_000;
/** Two intervals and the time of a slow answer. */
const STALE_AFTER_MS = 13_000;
/** A broker that is suspended accepts a request and never answers it. */
const AMQP_TIMEOUT_MS = 4_000;
const REOPEN_PAUSE_MS = 200;
const TRY_LIMIT = 10;
const NOT_FOUND = 404;

export class QueueSampler {
  readonly #reader: SampleReader;
  readonly #source: CachedSource<TimedSample>;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners: ((sample: TimedSample) => void)[] = [];
  #samples: readonly TimedSample[] = [];

  /** @param intervalMs milliseconds between two samples; default 5,000. */
  constructor(reader: SampleReader, intervalMs = INTERVAL_MS) {
    this.#reader = reader;
    this.#source = new CachedSource({
      read: () => this.#sample(),
      staleAfterMs: STALE_AFTER_MS,
    });
    this.#timer = setInterval(() => void this.#source.refresh(), intervalMs);
    void this.#source.refresh();
  }

  /** The samples of the minute before the newest one, oldest first. While the broker does not answer they stay. */
  get samples(): readonly TimedSample[] {
    return this.#samples;
  }

  freshness(now: Date): Freshness {
    return this.#source.freshness(now);
  }

  /** Calls the listener with each new sample. */
  onSample(listener: (sample: TimedSample) => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<TimedSample> {
    const sample = { ...(await this.#reader.read()), atMs: Date.now() };
    // Ranges of Prometheus 3 exclude their oldest moment, and so does this one: twelve samples fit into the minute.
    const since = sample.atMs - WINDOW_MS;
    this.#samples = [...this.#samples.filter(({ atMs }) => atMs > since), sample];
    for (const listener of this.#listeners) listener(sample);
    return sample;
  }
}

export function openSampleReader(options: SampleReaderOptions): SampleReader {
  const { amqpUrl, managementUrl, queueNames, depthOf } = options;
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  return {
    read: async () => {
      if (api === undefined) return await readByAmqp(queueNames, depthOf);
      try {
        return await withExactDepths(await readManagement(api), queueNames, depthOf);
      } catch (error) {
        // If both fail, the error of the management API is the one to report: it is the source that is configured.
        return await readByAmqp(queueNames, depthOf).catch(() => {
          throw error;
        });
      }
    },
  };
}

async function readManagement(api: ManagementApi): Promise<QueueSample> {
  const counts = await readQueueCounts(api);
  const queues = counts.map(({ name, readyCount, consumerCount, ...rest }) => {
    if (readyCount === undefined) return [name, undefined] as const;
    const { unackedCount, awaitingTransferCount, deliveredCount, maxLength, headAt } = rest;
    const reading: QueueReading = {
      ready: readyCount,
      unacked: unackedCount,
      awaitingTransfer: awaitingTransferCount,
      consumers: consumerCount ?? 0,
      delivered: deliveredCount,
      limitInForce: maxLength,
      headAt,
    };
    return [name, reading] as const;
  });
  return { source: 'management', queues: new Map(queues) };
}

/** Adds what AMQP says now of the queues that the management API knows; where AMQP does not answer, its counts stay alone. */
async function withExactDepths(
  sample: QueueSample,
  queueNames: readonly string[],
  depthOf: DepthOf,
): Promise<QueueSample> {
  const known = queueNames.filter((name) => sample.queues.get(name) !== undefined);
  const exact = await readByAmqp(known, depthOf).catch(() => undefined);
  if (exact === undefined) return sample;
  const queues = [...sample.queues].map(([name, reading]) => {
    const now = exact.queues.get(name);
    return reading === undefined || now === undefined
      ? ([name, reading] as const)
      : ([name, { ...reading, consumers: now.consumers, readyNow: now.ready }] as const);
  });
  return { source: 'management', queues: new Map(queues) };
}

/** By passive declarations, on the connection that the background tasks have as well. */
async function readByAmqp(queueNames: readonly string[], depthOf: DepthOf): Promise<QueueSample> {
  const queues = new Map<string, QueueReading>();
  for (const name of queueNames) {
    const depth = await pTimeout(depthOrMissing(name, depthOf), {
      milliseconds: AMQP_TIMEOUT_MS,
      message: `the broker did not answer within ${AMQP_TIMEOUT_MS} ms`,
    });
    if (depth !== undefined)
      queues.set(name, { ready: depth.readyCount, consumers: depth.consumerCount });
  }
  return { source: 'amqp', queues };
}

/** Asks again for a while, because a queue that is missing closes the channel, which is opened again a moment later. */
async function depthOrMissing(name: string, depthOf: DepthOf): Promise<QueueDepth | undefined> {
  for (let tryCount = 1; ; tryCount += 1)
    try {
      return await depthOf(name);
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (tryCount === TRY_LIMIT) throw error;
      await delay(REOPEN_PAUSE_MS);
    }
}

function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === NOT_FOUND;
}
