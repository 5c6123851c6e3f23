/** Takes dead letters out of a queue, over a connection of its own. */
import { eventually } from '@fit/stack/testing';
import { Consumer } from '@fit/topology/amqp';

export interface TakenLetter {
  readonly id: string | undefined;
  readonly type: string | undefined;
  readonly key: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
}

export async function readDeadLetters(
  url: string,
  queue: string,
  count: number,
): Promise<TakenLetter[]> {
  const letters: TakenLetter[] = [];
  const consumer = await Consumer.open({
    url,
    label: 'test reads dead letters',
    queue,
    prefetchCount: 10,
    prepare: () => Promise.resolve(),
    onDelivery: (delivery) => {
      const { messageId: id, type, routingKey: key, body, headers } = delivery;
      letters.push({ id, type, key, body, headers });
      delivery.ack();
    },
  });
  try {
    await eventually(() => letters.length >= count, {
      describe: () => `${letters.length} of ${count} dead letters in ${queue}`,
    });
  } finally {
    await consumer.drain(1_000);
    await consumer.close();
  }
  return letters;
}
