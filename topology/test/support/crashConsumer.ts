/** Consumers that take one message and are gone, as a worker that is killed. */
import type { Socket } from 'node:net';
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import type { TestTopology } from './testTopology.ts';

/**
 * Takes the first message of the main queue and is gone, again and again.
 * @returns how often: the count, or fewer where a letter came before.
 */
export async function crashConsumers(bench: TestTopology, count: number): Promise<number> {
  for (let index = 0; index < count; index += 1) if (!(await crashOnce(bench))) return index;
  return count;
}

/** @returns false where a letter is there and nothing more is delivered. */
async function crashOnce(bench: TestTopology): Promise<boolean> {
  // Without heartbeats: their timers would outlive the connection, and with it the test.
  const model = await connect(`${bench.amqpUrl}?heartbeat=0`);
  model.on('error', () => undefined);
  const { stream } = model.connection as unknown as { stream: Socket };
  const state = { isGone: false };
  stream.once('close', () => (state.isGone = true));
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.prefetch(1);
  // Not awaited: the delivery may come before the answer, and then there is none.
  channel
    .consume(bench.kind.queue, () => {
      stream.destroy();
    })
    .catch(() => undefined);
  const end = await eventually(
    async () => {
      if (state.isGone) return 'crash';
      return (await bench.readyCount(`${bench.kind.queue}.dead`)) > 0 && 'letter';
    },
    { deadlineMs: 20_000, describe: () => 'neither delivered nor dead' },
  );
  if (end === 'letter') await model.close();
  return end === 'crash';
}

/**
 * Takes that many messages of the main queue at once and is gone, as a process that is killed in the middle of its work.
 */
export async function vanishHolding(bench: TestTopology, count: number): Promise<void> {
  const model = await connect(`${bench.amqpUrl}?heartbeat=0`);
  model.on('error', () => undefined);
  const { stream } = model.connection as unknown as { stream: Socket };
  const state = { heldCount: 0, isGone: false };
  stream.once('close', () => (state.isGone = true));
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.prefetch(count);
  await channel.consume(bench.kind.queue, () => (state.heldCount += 1));
  await eventually(() => state.heldCount === count, {
    describe: () => `${state.heldCount} of ${count} delivered`,
  });
  const readyBefore = await bench.readyCount(bench.kind.queue);
  stream.destroy();
  await bench.expectReady(bench.kind.queue, readyBefore + count);
}
