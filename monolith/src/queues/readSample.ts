/** One look at every queue: by the management API, and by AMQP where there is none or it does not answer. */
import { type OpenTopologyAdmin, openTopologyAdmin, vhostOf } from '@fit/topology/amqp';
import { ManagementApi, readQueueCounts } from '@fit/topology/management';

/** What is known of one queue at one moment; what its source does not tell is undefined. */
export interface QueueReading {
  readonly ready: number;
  readonly unacked?: number | undefined;
  readonly held?: number | undefined;
  readonly consumers: number;
  /** Given to consumers since the broker counts. */
  readonly delivered?: number;
  /** The limit in force. `undefined` in a reading of the management API is: none. */
  readonly limitInForce?: number | undefined;
  readonly headAt?: Date | undefined;
}

export interface QueueSample {
  readonly source: 'management' | 'amqp';
  /** By name; a queue that is not on the broker is not in it, one that is not counted yet is undefined. */
  readonly queues: ReadonlyMap<string, QueueReading | undefined>;
}

export interface SampleReader {
  /** @throws Error where neither way leads to an answer. */
  read(): Promise<QueueSample>;
  close(): Promise<void>;
}

export interface SampleReaderOptions {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly queueNames: readonly string[];
}

/** A frozen broker takes a question and never answers it. */
const QUESTION_MS = 4_000;

/** The sampler has a connection of its own: asking for a missing queue closes the channel that asked. */
export function openSampleReader(options: SampleReaderOptions): SampleReader {
  const { amqpUrl, managementUrl, queueNames } = options;
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  const amqp = new AmqpDepths(amqpUrl);
  return {
    read: async () => {
      if (api === undefined) return await amqp.read(queueNames);
      try {
        return await readManagement(api);
      } catch (error) {
        // What the API answers tells more than that AMQP is away as well.
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
      held: awaitingTransferCount,
      consumers: consumerCount ?? 0,
      delivered: deliveredCount,
      limitInForce: maxLength,
      headAt,
    };
    return [name, reading] as const;
  });
  return { source: 'management', queues: new Map(queues) };
}

/** Passive declares over a connection of its own, opened when it is needed. */
class AmqpDepths {
  readonly #amqpUrl: string;
  #hand: OpenTopologyAdmin | undefined;

  constructor(amqpUrl: string) {
    this.#amqpUrl = amqpUrl;
  }

  async read(names: readonly string[]): Promise<QueueSample> {
    this.#hand ??= await openTopologyAdmin(this.#amqpUrl, 'monolith samples queues');
    const queues = new Map<string, QueueReading>();
    try {
      for (const name of names) {
        const depth = await within(QUESTION_MS, this.#hand.depthOf(name));
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
    const hand = this.#hand;
    this.#hand = undefined;
    await hand?.close().catch(() => undefined);
  }
}

async function within<Answer>(deadlineMs: number, answer: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the broker did not answer within ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
