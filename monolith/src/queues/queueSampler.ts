/**
 * Reads every queue of the broker every five seconds and keeps the samples of the last minute. A sample comes from the
 * management API, or from AMQP if there is no management API or it does not answer.
 */
import { type OpenTopologyAdmin, openTopologyAdmin, vhostOf } from '@fit/topology/amqp';
import { ManagementApi, readQueueCounts } from '@fit/topology/management';
import pTimeout from 'p-timeout';
import { CachedSource, type Freshness } from '../cachedSource.ts';
import { WINDOW_MS } from './trend.ts';

/** One queue at one moment; a value that the source does not report is undefined. */
export interface QueueReading {
  readonly ready: number;
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
  close(): Promise<void>;
}

export interface SampleReaderOptions {
  readonly amqpUrl: string;
  /** Undefined: samples are read by AMQP alone. */
  readonly managementUrl: string | undefined;
  readonly queueNames: readonly string[];
}

const INTERVAL_MS = 5_000;
/** Two intervals and the time of a slow answer. */
const STALE_AFTER_MS = 13_000;
/** A broker that is suspended accepts a request and never answers it. */
const AMQP_TIMEOUT_MS = 4_000;

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

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reader.close();
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
  const { amqpUrl, managementUrl, queueNames } = options;
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  const amqp = new AmqpReader(amqpUrl);
  return {
    read: async () => {
      if (api === undefined) return await amqp.read(queueNames);
      try {
        return await readManagement(api);
      } catch (error) {
        // If both fail, the error of the management API is the one to report: it is the source that is configured.
        return await amqp.read(queueNames).catch(() => {
          throw error;
        });
      }
    },
    close: () => amqp.close(),
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

/**
 * Passive declares over a connection of its own, which is opened when it is needed. The connections of the background
 * tasks are not used, because a passive declare of a missing queue closes its channel.
 */
class AmqpReader {
  readonly #amqpUrl: string;
  #admin: OpenTopologyAdmin | undefined;

  constructor(amqpUrl: string) {
    this.#amqpUrl = amqpUrl;
  }

  async read(names: readonly string[]): Promise<QueueSample> {
    this.#admin ??= await openTopologyAdmin(this.#amqpUrl, 'monolith queue sampler');
    const queues = new Map<string, QueueReading>();
    try {
      for (const name of names) {
        const depth = await pTimeout(this.#admin.depthOf(name), {
          milliseconds: AMQP_TIMEOUT_MS,
          message: `the broker did not answer within ${AMQP_TIMEOUT_MS} ms`,
        });
        if (depth !== undefined)
          queues.set(name, { ready: depth.readyCount, consumers: depth.consumerCount });
      }
    } catch (error) {
      await this.close();
      throw error;
    }
    return { source: 'amqp', queues };
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.close().catch(() => undefined);
  }
}
