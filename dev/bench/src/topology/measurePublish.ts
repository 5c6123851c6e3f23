/** Publish with confirms: FIT's publisher, and a bare confirm channel with the same sliding window. */
import { Publisher } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { expectDepth } from './expectDepth.ts';
import { BODY, barePropertiesOf, idOf, WINDOW_COUNT } from './message.ts';
import { KIND, type Room, TOPOLOGY } from './room.ts';

/** @returns milliseconds from the first publish to the last confirm. */
export async function publishWithFit(room: Room, count: number): Promise<number> {
  const publisher = await Publisher.open({
    url: room.amqpUrl,
    label: 'bench publishes',
    maxUnconfirmed: WINDOW_COUNT,
    // The room has its topology already; asserting it again is no part of the measurement.
    prepare: () => Promise.resolve(),
  });
  let sentCount = 0;
  const publishUntilDone = async () => {
    while (sentCount < count) {
      const id = idOf(sentCount);
      sentCount += 1;
      const { exchange } = TOPOLOGY;
      const result = await publisher.publish({ exchange, key: KIND.key, id, body: BODY });
      if (result !== 'confirmed') throw new Error(`${id} was ${result}`);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: WINDOW_COUNT }, publishUntilDone));
  const durationMs = performance.now() - startedAt;
  await publisher.close();
  await expectDepth(room, KIND.queue, count);
  return durationMs;
}

/**
 * Each confirm sends the next: the fastest way to keep a window full. Waiting for whole windows, as `waitForConfirms`
 * does, lets the broker run dry between them, and would flatter FIT.
 * @returns milliseconds from the first publish to the last confirm.
 */
export async function publishBare(room: Room, count: number): Promise<number> {
  const model = await connect(room.amqpUrl, { noDelay: true });
  const channel = await model.createConfirmChannel();
  const startedAt = performance.now();
  await new Promise<void>((resolve, reject) => {
    let sentCount = 0;
    let confirmedCount = 0;
    const send = () => {
      const properties = barePropertiesOf(sentCount);
      sentCount += 1;
      channel.publish(TOPOLOGY.exchange, KIND.key, BODY, properties, (error: unknown) => {
        if (error) reject(new Error('the broker nacked', { cause: error }));
        confirmedCount += 1;
        if (confirmedCount === count) resolve();
        else if (sentCount < count) send();
      });
    };
    for (let index = Math.min(WINDOW_COUNT, count); index > 0; index -= 1) send();
  });
  const durationMs = performance.now() - startedAt;
  await model.close();
  await expectDepth(room, KIND.queue, count);
  return durationMs;
}
