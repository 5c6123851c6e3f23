/**
 * The topology library against bare amqplib: createPublisher, createWorker, how late a retry comes while others are retried,
 * and how long a process with many queues takes to start.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import {
  attemptOf,
  type Connection,
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  type Messages,
  retry,
  topologyOf,
} from '@fit/topology';
import { connect, type Options } from 'amqplib';
import {
  BENCH_TOPOLOGY,
  describeBroker,
  type IsolatedVhost,
  withIsolatedVhost,
  withServers,
} from '../benchEnvironment.ts';
import { quantile, rate, round } from '../statistics.ts';
import {
  exactly,
  type Measurement,
  measuredBelow,
  ratioAtLeast,
  type Workload,
} from '../workload.ts';

const KIND = BENCH_TOPOLOGY.kind.one;

/** As a validator compiles it for a body with one field. */
const TEXT_BODY: Messages[string] = {
  '~standard': {
    version: 1,
    vendor: 'bench',
    validate: (value) =>
      typeof (value as { text?: unknown }).text === 'string'
        ? { value }
        : { issues: [{ message: 'no text' }] },
  },
};
const TOPOLOGY = topologyOf(BENCH_TOPOLOGY, () => TEXT_BODY);

/** The limits of both sides: messages published without a confirm yet, and deliveries without an ack. */
const MAX_UNCONFIRMED = 1_000;
const PREFETCH_COUNT = 250;
/** 200 bytes as JSON, as large as a job's message. Both sides encode and decode it for each message, as programs do. */
const BODY = { text: 'a'.repeat(189) };

const RATIO_BOUND = 0.95;
/** Queues of the larger process, and how much longer than with one queue it may take to start. */
const QUEUE_COUNT = 20;
const START_BOUND_MS = 1_000;
const LATENESS_BOUND_MS = 100;

interface RoundSize {
  readonly messageCount: number;
  readonly retryCount: number;
  readonly retriesPerSecond: number;
}

/** Enough for the compiler to have seen every path. */
const WARM_UP: RoundSize = { messageCount: 5_000, retryCount: 500, retriesPerSecond: 500 };

interface Round {
  readonly fit: SideFigures;
  readonly bare: SideFigures;
  readonly start: StartFigures;
}

/** Milliseconds until a publisher and a worker for each queue are ready. */
interface StartFigures {
  /** The topology is not on the broker yet. */
  readonly firstManyMs: number;
  readonly firstOneMs: number;
  /** The topology is there already. */
  readonly manyMs: number;
  readonly oneMs: number;
  /** Connections that the process with many queues opened. */
  readonly connectionCount: number;
}

interface SideFigures extends LatenessFigures {
  readonly publishedPerSecond: number;
  readonly consumedPerSecond: number;
}

/** What is measured, once done by the library and once by amqplib alone. */
interface Side {
  /** @returns milliseconds from the first publish to the last confirm. */
  readonly publish: (vhost: IsolatedVhost, count: number) => Promise<number>;
  /** @param onDelivery must answer whether to ack, to reject, or to leave a message. @returns a function that stops it. */
  readonly consume: (
    vhost: IsolatedVhost,
    onDelivery: (delivery: ReceivedDelivery) => Answer,
  ) => Promise<() => Promise<void>>;
}

interface ReceivedDelivery {
  readonly id: string;
  readonly attempt: number | undefined;
}

/** leave: neither; the message is requeued when the channel closes. */
type Answer = 'ack' | 'reject' | 'leave';

export const topology: Workload<'runs' | 'messages' | 'rate' | 'seconds'> = {
  name: 'topology',
  description:
    'the topology library against bare amqplib: publish, consume, lateness of retries, start of many queues',
  options: {
    runs: { description: 'rounds', default: 5 },
    messages: {
      description: `published, then consumed, by each side (above ${PREFETCH_COUNT})`,
      default: 50_000,
      minimum: PREFETCH_COUNT + 1,
    },
    rate: { description: 'retries per second while lateness is measured', default: 500 },
    seconds: { description: 'for which lateness is measured', default: 10 },
  },
  measure: async (settings, report) =>
    await withServers(['rabbitmq'], async (stack) => {
      report(`${await describeBroker(stack)}; warm-up …`);
      await measureRound(stack, WARM_UP, false);
      const rounds: Round[] = [];
      for (let number = 1; number <= settings.runs; number += 1) {
        const size: RoundSize = {
          messageCount: settings.messages,
          retryCount: settings.rate * settings.seconds,
          retriesPerSecond: settings.rate,
        };
        // Both sides come first in turn, because the second finds warmer code and a fuller disk.
        const round = await measureRound(stack, size, number % 2 === 0);
        rounds.push(round);
        report(`round ${number} of ${settings.runs}: ${JSON.stringify(round)}`);
      }
      return compare(rounds);
    }),
};

async function measureRound(stack: Stack, size: RoundSize, isBareFirst: boolean): Promise<Round> {
  if (!isBareFirst) {
    const fit = await measureSide(stack, FIT, size);
    const bare = await measureSide(stack, BARE, size);
    return { fit, bare, start: await measureStarts(stack) };
  }
  const bare = await measureSide(stack, BARE, size);
  const fit = await measureSide(stack, FIT, size);
  return { fit, bare, start: await measureStarts(stack) };
}

async function measureSide(stack: Stack, side: Side, size: RoundSize): Promise<SideFigures> {
  const { messageCount } = size;
  const throughput = await withIsolatedVhost(stack, async (vhost) => {
    const publishMs = await side.publish(vhost, messageCount);
    await expectDepth(vhost, messageCount);
    const consumeMs = await consumeAll(vhost, side, messageCount);
    await expectDepth(vhost, PREFETCH_COUNT);
    return {
      publishedPerSecond: rate(messageCount, publishMs),
      consumedPerSecond: rate(messageCount - PREFETCH_COUNT, consumeMs),
    };
  });
  const lateness = await withIsolatedVhost(stack, (vhost) => measureLateness(vhost, side, size));
  return { ...throughput, ...lateness };
}

function compare(rounds: readonly Round[]): Measurement {
  const comparison = (name: string, unit: string, field: keyof SideFigures) => ({
    name,
    unit,
    measured: rounds.map(({ fit }) => fit[field]),
    baseline: rounds.map(({ bare }) => bare[field]),
  });
  const ratioBound = ratioAtLeast(RATIO_BOUND);
  return {
    baselineName: 'bare amqplib',
    comparisons: [
      {
        ...comparison('publish with confirms', 'messages/s', 'publishedPerSecond'),
        bound: ratioBound,
      },
      { ...comparison('consume and ack', 'messages/s', 'consumedPerSecond'), bound: ratioBound },
      comparison('reject to next attempt, less the tier, p50', 'ms', 'latenessP50Ms'),
      {
        ...comparison('the same, p99', 'ms', 'latenessP99Ms'),
        bound: measuredBelow(LATENESS_BOUND_MS, 'ms'),
      },
      comparison('the same, slowest message of a round', 'ms', 'latenessMaxMs'),
      comparison('retries while lateness was measured', 'messages/s', 'rejectedPerSecond'),
      {
        name: `start with ${QUEUE_COUNT} queues beyond the start with one`,
        unit: 'ms',
        measured: rounds.map(({ start }) => start.manyMs - start.oneMs),
        bound: measuredBelow(START_BOUND_MS, 'ms'),
      },
      {
        name: 'the same, where the queues are declared for the first time',
        unit: 'ms',
        measured: rounds.map(({ start }) => start.firstManyMs - start.firstOneMs),
      },
      {
        name: `connections with ${QUEUE_COUNT} queues`,
        unit: 'connections',
        measured: rounds.map(({ start }) => start.connectionCount),
        bound: exactly(
          2,
          rounds.map(({ start }) => start.connectionCount),
        ),
      },
    ],
    rounds,
  };
}

/** The virtual host has its topology already; asserting it again is not to be measured. */
const PREPARED = { topology: TOPOLOGY, assert: 'never' } as const;

const FIT: Side = {
  publish: async ({ amqpUrl }, count) => {
    const connection = await createConnection({ url: amqpUrl, logger: false });
    const publisher = await createPublisher({ ...PREPARED, connection, window: MAX_UNCONFIRMED });
    let sentCount = 0;
    const publishUntilDone = async () => {
      while (sentCount < count) {
        const id = idOf(sentCount);
        sentCount += 1;
        await publisher.publish(KIND.key, BODY, { id });
      }
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: MAX_UNCONFIRMED }, publishUntilDone));
    const durationMs = performance.now() - startedAt;
    await connection.close();
    return durationMs;
  },
  consume: async ({ amqpUrl }, onDelivery) => {
    const connection = await createConnection({ url: amqpUrl, logger: false });
    await createWorker({
      ...PREPARED,
      connection,
      queue: KIND.kind,
      // Messages that are left unanswered must not keep others from their handlers.
      concurrency: PREFETCH_COUNT,
      prefetch: PREFETCH_COUNT,
      // Every first attempt fails while lateness is measured.
      breaker: false,
      handler: ({ id, body, attempt }) => {
        if ((body as typeof BODY).text.length !== BODY.text.length)
          throw new Error('another body was delivered');
        const answer = onDelivery({ id, attempt: attempt.number });
        if (answer === 'ack') return undefined;
        return answer === 'reject' ? retry() : new Promise<undefined>(() => undefined);
      },
    });
    return async () => {
      await connection.close({ deadline: 0 });
    };
  },
};

const BARE: Side = {
  /**
   * Each confirm sends the next message, which is the fastest way to keep the window full. Waiting for a whole window, as
   * `waitForConfirms` does, would let the broker run idle in between, and FIT would look better than it is.
   */
  publish: async ({ amqpUrl }, count) => {
    const connection = await connect(amqpUrl, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    const startedAt = performance.now();
    await new Promise<void>((resolve, reject) => {
      let sentCount = 0;
      let confirmedCount = 0;
      const send = () => {
        const properties = propertiesOf(sentCount);
        sentCount += 1;
        const body = Buffer.from(JSON.stringify(BODY));
        channel.publish(BENCH_TOPOLOGY.exchange, KIND.key, body, properties, (error: unknown) => {
          if (error) reject(new Error('the broker nacked a message', { cause: error }));
          confirmedCount += 1;
          if (confirmedCount === count) resolve();
          else if (sentCount < count) send();
        });
      };
      for (let index = Math.min(MAX_UNCONFIRMED, count); index > 0; index -= 1) send();
    });
    const durationMs = performance.now() - startedAt;
    await connection.close();
    return durationMs;
  },
  consume: async ({ amqpUrl }, onDelivery) => {
    const connection = await connect(amqpUrl, { noDelay: true });
    const channel = await connection.createChannel();
    await channel.prefetch(PREFETCH_COUNT);
    await channel.consume(KIND.queue, (message) => {
      if (message === null) return;
      const { fields, properties, content } = message;
      const { text } = JSON.parse(content.toString()) as typeof BODY;
      if (text.length !== BODY.text.length) throw new Error('another body was delivered');
      const attempt = attemptOf(KIND, fields.routingKey, properties.headers ?? {})?.number;
      const answer = onDelivery({ id: String(properties.messageId), attempt });
      if (answer === 'ack') channel.ack(message);
      if (answer === 'reject') channel.nack(message, false, false);
    });
    return async () => {
      await channel.close();
      await connection.close();
    };
  },
};

function idOf(index: number): string {
  return `m${index}`;
}

/** The properties that FIT's publisher sends; with fewer of them the baseline would send smaller frames. */
function propertiesOf(index: number): Options.Publish {
  return {
    persistent: true,
    mandatory: true,
    messageId: idOf(index),
    timestamp: Math.floor(Date.now() / 1_000),
    contentType: 'application/json',
    type: KIND.key,
    headers: {},
  };
}

/**
 * Acks all messages but the last prefetch of them. The broker confirms no ack, but it delivers those last messages only
 * when the earlier acks have reached the queue, so the last delivery proves that all of them did. An ack that was merely
 * sent may be lost if its channel is closed right after it, and the message comes back (measured with 4.3.6).
 * @param count messages in the queue, more than one prefetch.
 * @returns milliseconds from the first delivery to the last, so that neither side pays for its connection.
 */
async function consumeAll(vhost: IsolatedVhost, side: Side, count: number): Promise<number> {
  const { promise: duration, resolve } = Promise.withResolvers<number>();
  let deliveredCount = 0;
  let startedAt = 0;
  const stop = await side.consume(vhost, () => {
    if (deliveredCount === 0) startedAt = performance.now();
    deliveredCount += 1;
    if (deliveredCount === count) resolve(performance.now() - startedAt);
    return deliveredCount <= count - PREFETCH_COUNT ? 'ack' : 'leave';
  });
  const durationMs = await duration;
  await stop();
  return durationMs;
}

/**
 * Polls, because confirms and acks arrive before the queue's own count changes.
 * @throws Error if the main queue does not come to hold so many messages: the figure would be without its work.
 */
async function expectDepth({ connection }: IsolatedVhost, count: number): Promise<void> {
  const channel = await connection.createChannel();
  const depth = async () => (await channel.checkQueue(KIND.queue)).messageCount;
  await eventually(async () => (await depth()) === count, {
    describe: async () => `${KIND.queue} holds ${await depth()} messages instead of ${count}`,
  });
  await channel.close();
}

interface LatenessFigures {
  readonly latenessP50Ms: number;
  readonly latenessP99Ms: number;
  readonly latenessMaxMs: number;
  /** Rejected first attempts; below the requested rate the other figures describe a smaller load. */
  readonly rejectedPerSecond: number;
}

/** A message that takes this much longer than the load itself is lost. */
const RETURN_TIMEOUT_MS = 60_000;

/**
 * Rejects each first attempt, acks each second one, and measures the time between them less the tier.
 * @throws Error if a message does not come back, or comes as another attempt.
 */
async function measureLateness(
  vhost: IsolatedVhost,
  side: Side,
  size: RoundSize,
): Promise<LatenessFigures> {
  const { retryCount, retriesPerSecond } = size;
  const tierMs = KIND.tiersMs[0] ?? 0;
  const rejectedAt = new Map<string, number>();
  const latenessesMs: number[] = [];
  const { promise: finished, resolve, reject } = Promise.withResolvers<undefined>();
  const stop = await side.consume(vhost, ({ id, attempt }) => {
    const now = performance.now();
    const firstRejectedAt = rejectedAt.get(id);
    if (attempt === 1 && firstRejectedAt === undefined) {
      rejectedAt.set(id, now);
      return 'reject';
    }
    // Not thrown: an error thrown here would end the connection, and its message would be lost.
    if (attempt !== 2 || firstRejectedAt === undefined)
      reject(new Error(`${id} came as attempt ${String(attempt)}`));
    latenessesMs.push(now - (firstRejectedAt ?? now) - tierMs);
    if (latenessesMs.length === retryCount) resolve(undefined);
    return 'ack';
  });
  const timeout = setTimeout(
    () => {
      reject(new Error(`${latenessesMs.length} of ${retryCount} messages came back`));
    },
    (retryCount / retriesPerSecond) * 1_000 + RETURN_TIMEOUT_MS,
  );
  try {
    await Promise.all([publishSteadily(vhost, size), finished]);
  } finally {
    clearTimeout(timeout);
    await stop();
  }
  const rejectTimes = [...rejectedAt.values()];
  return {
    latenessP50Ms: round(quantile(latenessesMs, 0.5)),
    latenessP99Ms: round(quantile(latenessesMs, 0.99)),
    latenessMaxMs: round(quantile(latenessesMs, 1)),
    rejectedPerSecond: rate(retryCount, (rejectTimes.at(-1) ?? 0) - (rejectTimes[0] ?? 0)),
  };
}

/** One message per interval at 500 a second. After a pause of this process the missed ones follow at once. */
const PUBLISH_INTERVAL_MS = 2;

/** The load of both sides: bare publishes at an even rate. Resolves when all are confirmed. */
async function publishSteadily(
  { connection }: IsolatedVhost,
  { retryCount, retriesPerSecond }: RoundSize,
): Promise<void> {
  const channel = await connection.createConfirmChannel();
  const encoded = Buffer.from(JSON.stringify(BODY));
  const startedAt = performance.now();
  let sentCount = 0;
  while (sentCount < retryCount) {
    const elapsedMs = performance.now() - startedAt;
    const dueCount = Math.min(retryCount, Math.ceil((elapsedMs * retriesPerSecond) / 1_000));
    for (; sentCount < dueCount; sentCount += 1)
      channel.publish(BENCH_TOPOLOGY.exchange, KIND.key, encoded, propertiesOf(sentCount));
    await delay(PUBLISH_INTERVAL_MS);
  }
  await channel.waitForConfirms();
  await channel.close();
}

/** Starts a process of one queue and one of many, first without their topology on the broker, then with it. */
async function measureStarts(stack: Stack): Promise<StartFigures> {
  return await withIsolatedVhost(stack, async ({ amqpUrl }) => {
    const firstOneMs = (await startQueues(amqpUrl, 1)).durationMs;
    const firstManyMs = (await startQueues(amqpUrl, QUEUE_COUNT)).durationMs;
    const { durationMs: oneMs } = await startQueues(amqpUrl, 1);
    const { durationMs: manyMs, connectionCount } = await startQueues(amqpUrl, QUEUE_COUNT);
    return { firstOneMs, firstManyMs, oneMs, manyMs, connectionCount };
  });
}

/** Opens what a process with so many queues has: its connections, a publisher, and a worker for each queue. */
async function startQueues(
  amqpUrl: string,
  count: number,
): Promise<{ readonly durationMs: number; readonly connectionCount: number }> {
  let connectionCount = 0;
  const onSocket = () => {
    connectionCount += 1;
  };
  subscribe('net.client.socket', onSocket);
  let connection: Connection | undefined;
  try {
    const names = Array.from({ length: count }, (_, index) => `start${count}-${index}`);
    const startedAt = performance.now();
    const topology = defineTopology({
      exchange: `start${count}`,
      messages: Object.fromEntries(names.map((name) => [name, TEXT_BODY])),
      queues: Object.fromEntries(
        names.map((name) => [name, { on: [name], retry: { delays: ['1s', '2s', '4s'] as const } }]),
      ),
    });
    const opened = await createConnection({ url: amqpUrl, logger: false });
    connection = opened;
    await createPublisher({ connection: opened, topology });
    await Promise.all(
      names.map((queue) =>
        createWorker({ connection: opened, topology, queue, handler: () => undefined }),
      ),
    );
    return { durationMs: round(performance.now() - startedAt), connectionCount };
  } finally {
    unsubscribe('net.client.socket', onSocket);
    await connection?.close({ deadline: 0 });
  }
}
