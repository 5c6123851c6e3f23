/** A load that neither side makes itself: bare publishes at an even rate, so that both are measured under the same. */
import { setTimeout as delay } from 'node:timers/promises';
import { BODY, barePropertiesOf } from './message.ts';
import { KIND, type Room, TOPOLOGY } from './room.ts';

export interface SteadyLoad {
  readonly perSecond: number;
  readonly count: number;
}

/** One message per tick at 500 a second; after a stall of this process the missed ones follow at once. */
const TICK_MS = 2;

/** Resolves when all are confirmed. @throws Error where the broker nacked one. */
export async function publishSteadily(room: Room, load: SteadyLoad): Promise<void> {
  const channel = await room.model.createConfirmChannel();
  const startedAt = performance.now();
  let sentCount = 0;
  while (sentCount < load.count) {
    const elapsedMs = performance.now() - startedAt;
    const dueCount = Math.min(load.count, Math.ceil((elapsedMs * load.perSecond) / 1_000));
    for (; sentCount < dueCount; sentCount += 1)
      channel.publish(TOPOLOGY.exchange, KIND.key, BODY, barePropertiesOf(sentCount));
    await delay(TICK_MS);
  }
  await channel.waitForConfirms();
  await channel.close();
}
