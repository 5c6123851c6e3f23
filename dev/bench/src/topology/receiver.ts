/** Who receives and settles in the measurement of lateness: FIT's consumer or a bare one, told by the same judge. */
import { Consumer } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { PREFETCH_COUNT } from './message.ts';
import { KIND, type Room } from './room.ts';

export interface Received {
  readonly id: string;
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** True acks the message, false sends it to its next tier. */
export type Judge = (received: Received) => boolean;

/** @returns a function that stops it. */
export type OpenReceiver = (room: Room, judge: Judge) => Promise<() => Promise<void>>;

export const openFitReceiver: OpenReceiver = async (room, judge) => {
  const consumer = await Consumer.open({
    url: room.amqpUrl,
    label: 'bench retries',
    queue: KIND.queue,
    prefetchCount: PREFETCH_COUNT,
    prepare: () => Promise.resolve(),
    onDelivery: (delivery) => {
      const { messageId: id = '', routingKey, headers } = delivery;
      if (judge({ id, routingKey, headers })) delivery.ack();
      else delivery.reject();
    },
  });
  return () => consumer.close();
};

export const openBareReceiver: OpenReceiver = async (room, judge) => {
  const model = await connect(room.amqpUrl, { noDelay: true });
  const channel = await model.createChannel();
  await channel.prefetch(PREFETCH_COUNT);
  await channel.consume(KIND.queue, (message) => {
    if (message === null) return;
    const { fields, properties } = message;
    const id = String(properties.messageId);
    const headers = properties.headers ?? {};
    if (judge({ id, routingKey: fields.routingKey, headers })) channel.ack(message);
    else channel.nack(message, false, false);
  });
  return async () => {
    await channel.close();
    await model.close();
  };
};
