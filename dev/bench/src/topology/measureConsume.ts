/** Consume and settle: a full queue is emptied, each message acked at once, by FIT's consumer and by a bare one. */
import { Consumer } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { expectDepth } from './expectDepth.ts';
import { PREFETCH_COUNT } from './message.ts';
import { KIND, type Room } from './room.ts';

/** @returns how many of the messages in the queue are acked. */
export function ackedCount(count: number): number {
  return count - PREFETCH_COUNT;
}

/** @param count messages that are in the queue. @returns milliseconds for the acks of `ackedCount` of them. */
export async function consumeWithFit(room: Room, count: number): Promise<number> {
  const clock = new AckClock(count);
  const consumer = await Consumer.open({
    url: room.amqpUrl,
    label: 'bench consumes',
    queue: KIND.queue,
    prefetchCount: PREFETCH_COUNT,
    prepare: () => Promise.resolve(),
    onDelivery: (delivery) => {
      if (clock.mustAck()) delivery.ack();
    },
  });
  const durationMs = await clock.duration;
  await consumer.close();
  await expectDepth(room, KIND.queue, PREFETCH_COUNT);
  return durationMs;
}

/** @param count messages that are in the queue. @returns milliseconds for the acks of `ackedCount` of them. */
export async function consumeBare(room: Room, count: number): Promise<number> {
  const clock = new AckClock(count);
  const model = await connect(room.amqpUrl, { noDelay: true });
  const channel = await model.createChannel();
  await channel.prefetch(PREFETCH_COUNT);
  await channel.consume(KIND.queue, (message) => {
    if (message !== null && clock.mustAck()) channel.ack(message);
  });
  const durationMs = await clock.duration;
  await channel.close();
  await model.close();
  await expectDepth(room, KIND.queue, PREFETCH_COUNT);
  return durationMs;
}

/**
 * Acks all but the last prefetch of messages. The broker confirms no ack, but it delivers those last ones only as the
 * earlier acks reach the queue: the last delivery says that all of them did. An ack that
 * is merely sent may be lost where its channel closes right after it, and the message comes back (measured, 4.3.6).
 */
class AckClock {
  readonly duration: Promise<number>;
  readonly #resolve: (durationMs: number) => void;
  readonly #count: number;
  #deliveredCount = 0;
  #startedAt = 0;

  /** @param count messages in the queue, more than one prefetch. */
  constructor(count: number) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.duration = promise;
    this.#resolve = resolve;
    this.#count = count;
  }

  /** Call it at each delivery. The first starts the clock, so that neither side pays for its connection. */
  mustAck(): boolean {
    if (this.#deliveredCount === 0) this.#startedAt = performance.now();
    this.#deliveredCount += 1;
    if (this.#deliveredCount === this.#count) this.#resolve(performance.now() - this.#startedAt);
    return this.#deliveredCount <= ackedCount(this.#count);
  }
}
