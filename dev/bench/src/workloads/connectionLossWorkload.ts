/** What a lost connection costs a worker: the time for a queue of messages with connection losses and without. */
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '@fit/stack';
import { Publisher } from '@fit/topology/amqp';
import { QueueWorker } from '@fit/topology/work';
import {
  BENCH_TOPOLOGY,
  type IsolatedVhost,
  withIsolatedVhost,
  withServers,
} from '../benchEnvironment.ts';
import { round } from '../statistics.ts';
import type { Workload } from '../workload.ts';

const KIND = BENCH_TOPOLOGY.kind.one;

/** What one loss may add to the time without losses, as a share of it. */
const COST_PER_LOSS_BOUND = 0.2;

interface LossSize {
  readonly messageCount: number;
  /** How long each handler takes. */
  readonly workMs: number;
  readonly prefetchCount: number;
}

interface LossFigures {
  /** The time from the start of the worker to the last finished message. */
  readonly durationMs: number;
  /** Started handlers; those beyond the number of messages ran a message a second time. */
  readonly handlerCount: number;
  readonly resetConnectionCount: number;
  readonly deadLetterCount: number;
}

interface Round {
  readonly withoutLoss: LossFigures;
  readonly withLosses: LossFigures;
}

export const connectionLoss: Workload<'runs' | 'messages' | 'work' | 'prefetch' | 'losses'> = {
  name: 'connection-loss',
  description: 'the time of a worker for a queue of messages with connection losses and without',
  options: {
    runs: { description: 'rounds', default: 1 },
    messages: { description: 'messages in the queue', default: 600 },
    work: { description: 'milliseconds that each handler takes', default: 1_000 },
    prefetch: { description: 'prefetch, and handlers that run at a time', default: 50 },
    losses: { description: 'how often all connections are reset', default: 1 },
  },
  measure: async (settings, report) =>
    await withServers(['rabbitmq'], async (stack) => {
      const size: LossSize = {
        messageCount: settings.messages,
        workMs: settings.work,
        prefetchCount: settings.prefetch,
      };
      const rounds: Round[] = [];
      for (let number = 1; number <= settings.runs; number += 1) {
        const round: Round = {
          withoutLoss: await measureWorker(stack, size, 0),
          withLosses: await measureWorker(stack, size, settings.losses),
        };
        if (round.withLosses.resetConnectionCount === 0)
          throw new Error('no connection was reset, so nothing was compared');
        rounds.push(round);
        report(`round ${number} of ${settings.runs}: ${JSON.stringify(round)}`);
      }
      const ratioBound = round(1 + COST_PER_LOSS_BOUND * settings.losses);
      const repeatedCounts = rounds.map(
        ({ withLosses }) => withLosses.handlerCount - size.messageCount,
      );
      const deadLetterCounts = rounds.map(({ withLosses }) => withLosses.deadLetterCount);
      return {
        baselineName: 'without a loss',
        comparisons: [
          {
            name: `${size.messageCount} messages with ${settings.losses} losses`,
            unit: 'ms',
            measured: rounds.map(({ withLosses }) => withLosses.durationMs),
            baseline: rounds.map(({ withoutLoss }) => withoutLoss.durationMs),
            bound: {
              description: `ratio ≤ ${ratioBound}`,
              holds: ({ ratio }) => round(ratio) <= ratioBound,
            },
          },
          { name: 'handlers that ran a second time', unit: 'messages', measured: repeatedCounts },
          {
            name: 'dead-lettered messages',
            unit: 'messages',
            measured: deadLetterCounts,
            bound: {
              description: '0 in every round',
              holds: () => deadLetterCounts.every((count) => count === 0),
            },
          },
        ],
        rounds,
      };
    }),
};

/** @param lossCount how often all connections are reset, spread evenly over the messages. */
async function measureWorker(
  stack: Stack,
  size: LossSize,
  lossCount: number,
): Promise<LossFigures> {
  return await withIsolatedVhost(stack, async (vhost) => {
    await publishAll(vhost, size.messageCount);
    const proxy = await openResettableProxy(vhost.amqpUrl);
    try {
      const finishedIds = new Set<string>();
      let handlerCount = 0;
      let startedLossCount = 0;
      let resetConnectionCount = 0;
      const { promise: finished, resolve: finish } = Promise.withResolvers<undefined>();
      const startedAt = performance.now();
      const worker = await QueueWorker.open({
        declaration: BENCH_TOPOLOGY,
        kind: 'one',
        amqpUrl: proxy.url,
        managementUrl: vhost.managementUrl,
        prefetchCount: size.prefetchCount,
        run: async ({ delivery }) => {
          handlerCount += 1;
          await delay(size.workMs);
          if (!delivery.isCurrent) return undefined;
          finishedIds.add(delivery.messageId ?? '');
          const nextLossAt = ((startedLossCount + 1) * size.messageCount) / (lossCount + 1);
          if (startedLossCount < lossCount && finishedIds.size >= nextLossAt) {
            startedLossCount += 1;
            // Half of the next prefetch is in work by then.
            setTimeout(() => (resetConnectionCount += proxy.resetConnections()), size.workMs / 2);
          }
          if (finishedIds.size === size.messageCount) finish(undefined);
          return undefined;
        },
      });
      await finished;
      const durationMs = performance.now() - startedAt;
      await worker.close(2 * size.workMs);
      const channel = await vhost.connection.createChannel();
      const { messageCount: deadLetterCount } = await channel.checkQueue(`${KIND.queue}.dead`);
      return { durationMs, handlerCount, resetConnectionCount, deadLetterCount };
    } finally {
      await proxy.close();
    }
  });
}

async function publishAll({ amqpUrl }: IsolatedVhost, count: number): Promise<void> {
  const publisher = await Publisher.open({
    url: amqpUrl,
    label: 'bench publisher',
    prepare: () => Promise.resolve(),
  });
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      publisher.publish({
        exchange: BENCH_TOPOLOGY.exchange,
        key: KIND.key,
        id: `m${index}`,
        body: Buffer.of(),
      }),
    ),
  );
  await publisher.close();
  const confirmedCount = results.filter((result) => result === 'confirmed').length;
  if (confirmedCount !== count)
    throw new Error(`only ${confirmedCount} of ${count} messages were confirmed`);
}

interface ResettableProxy {
  /** The broker's URL by way of the proxy. */
  readonly url: string;
  /** New connections are accepted at once. @returns how many connections were reset. */
  resetConnections(): number;
  close(): Promise<void>;
}

/** Opens a TCP proxy to the broker that can lose its connections as a network does. */
async function openResettableProxy(brokerUrl: string): Promise<ResettableProxy> {
  const url = new URL(brokerUrl);
  const { hostname, port } = url;
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connectTcp(Number(port), hostname);
    client.setNoDelay(true);
    broker.setNoDelay(true);
    clients.add(client);
    for (const [socket, peer] of [
      [client, broker],
      [broker, client],
    ] as const) {
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        clients.delete(client);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url.host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const resetConnections = () => {
    const count = clients.size;
    for (const client of clients) client.destroy();
    return count;
  };
  return {
    url: url.href,
    resetConnections,
    close: async () => {
      resetConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
