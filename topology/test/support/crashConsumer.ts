/** Consumers that end with unsettled messages, as a worker does that is killed. */
import type { Socket } from 'node:net';
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import type { TestTopology } from './testTopology.ts';

/**
 * Receives the first message of the main queue and ends its connection, again and again.
 * @returns how often: the count, or fewer if the message was dead-lettered before.
 */
export async function crashConsumers(environment: TestTopology, count: number): Promise<number> {
  for (let index = 0; index < count; index += 1) if (!(await crashOnce(environment))) return index;
  return count;
}

/** @returns false if the message is dead-lettered and nothing more is delivered. */
async function crashOnce(environment: TestTopology): Promise<boolean> {
  // Without heartbeats: their timers would outlive the connection, and with it the test.
  const model = await connect(`${environment.amqpUrl}?heartbeat=0`);
  model.on('error', () => undefined);
  const { stream } = model.connection as unknown as { stream: Socket };
  const state = { isGone: false };
  stream.once('close', () => (state.isGone = true));
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.prefetch(1);
  // Not awaited: the delivery may come before the answer, and then there is none.
  channel
    .consume(environment.kind.queue, () => {
      stream.destroy();
    })
    .catch(() => undefined);
  const end = await eventually(
    async () => {
      if (state.isGone) return 'crash';
      return (await environment.readyCount(`${environment.kind.queue}.dead`)) > 0 && 'deadLetter';
    },
    { deadlineMs: 20_000, describe: () => 'neither delivered nor dead' },
  );
  if (end === 'deadLetter') await model.close();
  return end === 'crash';
}

/**
 * Receives that many messages of the main queue at once and ends its connection, as a process that is killed at work.
 */
export async function vanishHolding(environment: TestTopology, count: number): Promise<void> {
  const model = await connect(`${environment.amqpUrl}?heartbeat=0`);
  model.on('error', () => undefined);
  const { stream } = model.connection as unknown as { stream: Socket };
  const state = { unsettledCount: 0, isGone: false };
  stream.once('close', () => (state.isGone = true));
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.prefetch(count);
  await channel.consume(environment.kind.queue, () => (state.unsettledCount += 1));
  await eventually(() => state.unsettledCount === count, {
    describe: () => `${state.unsettledCount} of ${count} delivered`,
  });
  const readyBefore = await environment.readyCount(environment.kind.queue);
  stream.destroy();
  await environment.expectReady(environment.kind.queue, readyBefore + count);
}
