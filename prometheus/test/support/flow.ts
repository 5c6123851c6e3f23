/** A publisher and a slower consumer on one queue, with the metrics of FIT's processes. */
import { createServiceMetrics, Health, serveOperations } from '@fit/service';
import type { Stack } from '@fit/stack';
import { type Declaration, type KindDeclaration, publishTarget } from '@fit/topology';
import { Consumer, type Delivery, Publisher, type PublishResult } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';

export interface FlowPlan {
  readonly kind: string;
  readonly publishPerSecond: number;
  readonly consumePerSecond: number;
  /** The queue must be full and refuse by then. */
  readonly deadlineMs: number;
}

/** Milliseconds since the epoch. */
export interface FlowEnd {
  readonly startedAt: number;
  /** The first publish that the broker refused. */
  readonly fullAt: number;
}

export interface Flow {
  /** Publishes and consumes at these rates until the broker refuses. */
  run(plan: FlowPlan): Promise<FlowEnd>;
  close(): Promise<void>;
}

export interface FlowOptions {
  readonly stack: Stack;
  /** With the user's name and password. */
  readonly managementUrl: string;
  readonly declaration: Declaration;
  /** The port that Prometheus scrapes. */
  readonly metricsPort: number;
}

const TICK_MS = 20;
const WINDOW_COUNT = 100;

export async function openFlow(options: FlowOptions): Promise<Flow> {
  const { declaration, stack, managementUrl, metricsPort } = options;
  const { metrics } = createServiceMetrics('monolith', {
    declaration,
    vhost: '/',
    routes: [],
  });
  const health = new Health({ stopping: new AbortController().signal, ready: {} });
  const operations = await serveOperations({
    host: '127.0.0.1',
    port: metricsPort,
    metrics,
    health,
    onDefect: (error) => {
      throw error;
    },
  });
  const { amqpUrl } = stack;
  const publisher = await Publisher.open({
    url: amqpUrl,
    label: 'flow',
    // Its publishes are not counted as FIT's own, because FIT fills a queue only up to half of its limit.
    maxUnconfirmed: WINDOW_COUNT,
    prepare: (model) => assertTopology(model, declaration, { amqpUrl, managementUrl }),
  });
  const consumers: Consumer[] = [];
  const publish = async (kind: KindDeclaration) => {
    const message = { ...publishTarget(declaration, kind, 0), id: 'x', body: Buffer.from('{}') };
    return await publisher.publish(message);
  };
  return {
    run: async (pace) => {
      const kind = declaration.kinds.find((candidate) => candidate.kind === pace.kind);
      if (kind === undefined) throw new Error(`no kind ${pace.kind}`);
      const held: Delivery[] = [];
      const consumer = await Consumer.open({
        url: amqpUrl,
        label: 'flow',
        queue: kind.queue,
        // The deliveries of one second, which a late timer must catch up.
        prefetchCount: pace.consumePerSecond,
        prepare: () => Promise.resolve(),
        onDelivery: (delivery) => held.push(delivery),
      });
      consumers.push(consumer);
      const stopAcking = atPace(pace.consumePerSecond, () => held.shift()?.ack());
      try {
        return await publishUntilRefused(pace, () => publish(kind));
      } finally {
        stopAcking();
      }
    },
    close: async () => {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      await publisher.close();
      await operations.close();
    },
  };
}

async function publishUntilRefused(
  { kind, publishPerSecond, deadlineMs }: FlowPlan,
  publish: () => Promise<PublishResult>,
): Promise<FlowEnd> {
  const startedAt = Date.now();
  const refused = Promise.withResolvers<FlowEnd>();
  const deadline = setTimeout(() => {
    refused.reject(new Error(`${kind}: never full`));
  }, deadlineMs);
  const stopPublishing = atPace(publishPerSecond, () => {
    void publish().then((result) => {
      if (result === 'nacked') refused.resolve({ startedAt, fullAt: Date.now() });
    });
  });
  try {
    return await refused.promise;
  } finally {
    clearTimeout(deadline);
    stopPublishing();
  }
}

/**
 * Counts by the clock and not by timer ticks, which are late on a busy machine.
 * @returns a function that stops it.
 */
function atPace(perSecond: number, act: () => unknown): () => void {
  const startedAt = Date.now();
  let count = 0;
  const timer = setInterval(() => {
    const dueCount = ((Date.now() - startedAt) / 1_000) * perSecond;
    for (; count < dueCount; count += 1) act();
  }, TICK_MS);
  return () => {
    clearInterval(timer);
  };
}
