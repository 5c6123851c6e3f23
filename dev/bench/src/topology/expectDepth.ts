/** No figure without its work: what was published is in the queue, what was acked is gone from it. */
import { eventually } from '@fit/stack/testing';
import type { Room } from './room.ts';

/** Polls, because acks and confirms run ahead of the queue's own count. @throws Error with the count there is. */
export async function expectDepth(room: Room, queue: string, count: number): Promise<void> {
  const channel = await room.model.createChannel();
  const depth = async () => (await channel.checkQueue(queue)).messageCount;
  await eventually(async () => (await depth()) === count, {
    describe: async () => `${queue} holds ${await depth()} messages instead of ${count}`,
  });
  await channel.close();
}
