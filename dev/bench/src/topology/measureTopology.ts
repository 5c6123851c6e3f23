/** One round: each measurement by FIT and by bare amqplib, each in a room of its own. */
import type { Stack } from '@fit/stack';
import { rate } from '../statistics.ts';
import { ackedCount, consumeBare, consumeWithFit } from './measureConsume.ts';
import { type LatenessFigures, measureLateness } from './measureLateness.ts';
import { publishBare, publishWithFit } from './measurePublish.ts';
import type { SteadyLoad } from './publishSteadily.ts';
import { type OpenReceiver, openBareReceiver, openFitReceiver } from './receiver.ts';
import { type Room, withRoom } from './room.ts';

/** The same figure of both sides. */
export interface Pair<Figure> {
  readonly fit: Figure;
  readonly bare: Figure;
}

export interface Throughput {
  readonly publishPerSecond: number;
  readonly consumePerSecond: number;
}

export interface TopologyRound {
  readonly throughput: Pair<Throughput>;
  readonly lateness: Pair<LatenessFigures>;
}

export interface RoundSize {
  readonly messageCount: number;
  readonly retryLoad: SteadyLoad;
}

interface Side {
  readonly publish: (room: Room, count: number) => Promise<number>;
  readonly consume: (room: Room, count: number) => Promise<number>;
  readonly open: OpenReceiver;
}

const FIT: Side = { publish: publishWithFit, consume: consumeWithFit, open: openFitReceiver };
const BARE: Side = { publish: publishBare, consume: consumeBare, open: openBareReceiver };

/** @param index of the round: the sides take turns in coming first, since the second finds warmer code and a fuller disk. */
export async function measureTopology(
  stack: Stack,
  { messageCount, retryLoad }: RoundSize,
  index: number,
): Promise<TopologyRound> {
  const isBareFirst = index % 2 === 1;
  return {
    throughput: await measurePair(isBareFirst, (side) =>
      withRoom(stack, (room) => measureThroughput(room, side, messageCount)),
    ),
    lateness: await measurePair(isBareFirst, ({ open }) =>
      withRoom(stack, (room) => measureLateness(room, { load: retryLoad, open })),
    ),
  };
}

async function measurePair<Figure>(
  isBareFirst: boolean,
  measure: (side: Side) => Promise<Figure>,
): Promise<Pair<Figure>> {
  if (!isBareFirst) return { fit: await measure(FIT), bare: await measure(BARE) };
  const bare = await measure(BARE);
  return { fit: await measure(FIT), bare };
}

/** What was published is what is consumed: both sides leave the same queue behind. */
async function measureThroughput(room: Room, side: Side, count: number): Promise<Throughput> {
  const publishMs = await side.publish(room, count);
  const consumeMs = await side.consume(room, count);
  return {
    publishPerSecond: rate(count, publishMs),
    consumePerSecond: rate(ackedCount(count), consumeMs),
  };
}
