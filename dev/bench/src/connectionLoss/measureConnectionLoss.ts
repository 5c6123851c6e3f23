/** How long a worker needs for a queue of messages, with its connections reset in the middle and without. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from '@fit/stack';
import { Publisher } from '@fit/topology/amqp';
import { Worker } from '@fit/topology/work';
import { openManagement } from '../topology/management.ts';
import { KIND, type Room, TOPOLOGY, withRoom } from '../topology/room.ts';
import { openCuttableProxy } from './cuttableProxy.ts';

export interface LossSize {
  readonly messageCount: number;
  /** How long each handler takes. */
  readonly workMs: number;
  readonly prefetchCount: number;
}

export interface LossFigure {
  /** From the worker's start to the last message that was done. */
  readonly durationMs: number;
  /** Handlers that began; beyond the number of messages they are second runs. */
  readonly runCount: number;
  /** Connections that were reset. */
  readonly cutCount: number;
  readonly deadCount: number;
}

/** @param lossCount how often all connections are reset, spread evenly over the messages. */
export async function measureConnectionLoss(
  stack: Stack,
  size: LossSize,
  lossCount: number,
): Promise<LossFigure> {
  return await withRoom(stack, async (room) => {
    await publishAll(room, size.messageCount);
    const managementUrl = openManagement(stack).url;
    const proxy = await openCuttableProxy(room.amqpUrl);
    const done = new Set<string>();
    const count = { run: 0, cut: 0, loss: 0 };
    const { promise: finished, resolve: finish } = Promise.withResolvers<undefined>();
    const startedAt = performance.now();
    const worker = await Worker.open({
      declaration: TOPOLOGY,
      kind: 'one',
      amqpUrl: proxy.url,
      managementUrl,
      prefetchCount: size.prefetchCount,
      run: async ({ delivery }) => {
        count.run += 1;
        await pause(size.workMs);
        if (!delivery.isCurrent) return undefined;
        done.add(delivery.messageId ?? '');
        // Half of the next prefetch is in work by then.
        const nextLossAt = ((count.loss + 1) * size.messageCount) / (lossCount + 1);
        if (count.loss < lossCount && done.size >= nextLossAt) {
          count.loss += 1;
          setTimeout(() => (count.cut += proxy.cut()), size.workMs / 2);
        }
        if (done.size === size.messageCount) finish(undefined);
        return undefined;
      },
    });
    await finished;
    const durationMs = performance.now() - startedAt;
    await worker.close(2 * size.workMs);
    const channel = await room.model.createChannel();
    const { messageCount: deadCount } = await channel.checkQueue(`${KIND.queue}.dead`);
    await proxy.close();
    return { durationMs, runCount: count.run, cutCount: count.cut, deadCount };
  });
}

async function publishAll({ amqpUrl }: Room, count: number): Promise<void> {
  const publisher = await Publisher.open({
    url: amqpUrl,
    label: 'bench publishes',
    prepare: () => Promise.resolve(),
  });
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      publisher.publish({
        exchange: TOPOLOGY.exchange,
        key: KIND.key,
        id: `m${index}`,
        body: Buffer.of(),
      }),
    ),
  );
  await publisher.close();
  const confirmedCount = results.filter((result) => result === 'confirmed').length;
  if (confirmedCount !== count) throw new Error(`${confirmedCount} of ${count} were confirmed`);
}
