/** Another system on the same broker publishes without a queue, lets messages expire, or overflows its queue. */
import { type Channel, connect } from 'amqplib';
import type { AlertTestEnvironment } from '../alertTestEnvironment.ts';
import type { Fault } from '../fault.ts';

const QUEUE = 'foreign';
const DEAD_LETTER_QUEUE = 'foreign.dead';
const MESSAGE_COUNT = 20;
/** The messages are sent every second, since a lookback must see its counter rise. */
const INTERVAL_MS = 1_000;

export const unroutablePublishes: Fault = {
  name: 'publishes without a queue',
  description: 'a foreign program publishes to `jobs` with a routing key that has no binding',
  expected: ['MessagesDropped warning'],
  labels: { 'MessagesDropped warning': { how: 'unroutable' } },
  inject: (environment) =>
    keepSending(environment, (channel) => {
      channel.publish('jobs', 'job.unheardOf', Buffer.of());
    }),
  repair: stopSending,
};

export const messagesDestroyed: Fault = {
  name: 'messages destroyed',
  description: 'messages expire in a foreign queue without a dead-letter exchange',
  expected: ['MessagesDropped critical'],
  labels: { 'MessagesDropped critical': { how: 'destroyed' } },
  inject: async (environment) => {
    await withChannel(environment, async (channel) => {
      await channel.assertQueue(QUEUE, { messageTtl: 100 });
    });
    await keepSending(environment, sendToQueue);
  },
  repair: stopAndDeleteQueues,
};

export const queueOverflowed: Fault = {
  name: 'queue overflowed',
  description: 'a foreign queue with a limit of one message dead-letters its oldest message',
  expected: ['MessagesDropped warning'],
  labels: { 'MessagesDropped warning': { how: 'overflowed' } },
  inject: async (environment) => {
    await withChannel(environment, async (channel) => {
      await channel.assertQueue(DEAD_LETTER_QUEUE);
      await channel.assertQueue(QUEUE, {
        maxLength: 1,
        deadLetterExchange: '',
        deadLetterRoutingKey: DEAD_LETTER_QUEUE,
        arguments: { 'x-overflow': 'drop-head' },
      });
    });
    await keepSending(environment, sendToQueue);
  },
  repair: stopAndDeleteQueues,
};

function sendToQueue(channel: Channel): void {
  channel.sendToQueue(QUEUE, Buffer.of());
}

const sending: { stop?: () => Promise<void> } = {};

async function keepSending(
  { stack }: AlertTestEnvironment,
  send: (channel: Channel) => void,
): Promise<void> {
  const connection = await connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  const timer = setInterval(() => {
    for (let count = 0; count < MESSAGE_COUNT; count += 1) send(channel);
  }, INTERVAL_MS);
  sending.stop = async () => {
    clearInterval(timer);
    await connection.close();
  };
}

async function stopSending(): Promise<void> {
  await sending.stop?.();
}

async function stopAndDeleteQueues(environment: AlertTestEnvironment): Promise<void> {
  await stopSending();
  await withChannel(environment, async (channel) => {
    for (const queue of [QUEUE, DEAD_LETTER_QUEUE]) await channel.deleteQueue(queue);
  });
}

async function withChannel(
  { stack }: AlertTestEnvironment,
  act: (channel: Channel) => Promise<void>,
): Promise<void> {
  const connection = await connect(stack.amqpUrl);
  try {
    await act(await connection.createChannel());
  } finally {
    await connection.close();
  }
}
