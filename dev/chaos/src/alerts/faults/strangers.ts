/** Another system on the same broker: what it sends to nobody, destroys, or lets overflow. */
import { type Channel, connect } from 'amqplib';
import type { AlertWorld } from '../alertWorld.ts';
import type { Fault } from '../fault.ts';

const QUEUE = 'stranger';
const DEAD_QUEUE = 'stranger.dead';
const MESSAGE_COUNT = 20;
/** Each second anew: a window must see its counter rise. */
const EVERY_MS = 1_000;

const UNDECLARED = { 'QueueUndeclared info': 'its queues are nobody’s' } as const;

export const sentToNobody: Fault = {
  name: 'messages for nobody',
  about: 'a stranger publishes to `jobs` with a key that no queue is bound by',
  expected: ['Unroutable warning'],
  inject: (world) =>
    keepSending(world, (channel) => {
      channel.publish('jobs', 'job.unheardOf', Buffer.of());
    }),
  mend: stopSending,
};

export const destroyed: Fault = {
  name: 'messages destroyed',
  about: 'a stranger’s queue lets its messages expire without a dead-letter exchange',
  expected: ['MessagesDestroyed critical', 'QueueUndeclared info'],
  labels: { 'QueueUndeclared info': { queue: QUEUE } },
  inject: async (world) => {
    await withChannel(world, async (channel) => {
      await channel.assertQueue(QUEUE, { messageTtl: 100 });
    });
    await keepSending(world, toStranger);
  },
  mend: (world) => leave(world),
};

export const overflowed: Fault = {
  name: 'queue overflowed',
  about: 'a stranger’s queue of one message drops its oldest into its dead-letter queue',
  expected: ['QueueOverflowed critical'],
  consequences: UNDECLARED,
  inject: async (world) => {
    await withChannel(world, async (channel) => {
      await channel.assertQueue(DEAD_QUEUE);
      await channel.assertQueue(QUEUE, {
        maxLength: 1,
        deadLetterExchange: '',
        deadLetterRoutingKey: DEAD_QUEUE,
        arguments: { 'x-overflow': 'drop-head' },
      });
    });
    await keepSending(world, toStranger);
  },
  mend: (world) => leave(world),
};

function toStranger(channel: Channel): void {
  channel.sendToQueue(QUEUE, Buffer.of());
}

const sending: { stop?: () => Promise<void> } = {};

async function keepSending({ stack }: AlertWorld, send: (channel: Channel) => void): Promise<void> {
  const stranger = await connect(stack.amqpUrl);
  const channel = await stranger.createChannel();
  const timer = setInterval(() => {
    for (let count = 0; count < MESSAGE_COUNT; count += 1) send(channel);
  }, EVERY_MS);
  sending.stop = async () => {
    clearInterval(timer);
    await stranger.close();
  };
}

async function stopSending(): Promise<void> {
  await sending.stop?.();
}

async function leave(world: AlertWorld): Promise<void> {
  await stopSending();
  await withChannel(world, async (channel) => {
    for (const queue of [QUEUE, DEAD_QUEUE]) await channel.deleteQueue(queue);
  });
}

async function withChannel(
  { stack }: AlertWorld,
  act: (channel: Channel) => Promise<void>,
): Promise<void> {
  const stranger = await connect(stack.amqpUrl);
  try {
    await act(await stranger.createChannel());
  } finally {
    await stranger.close();
  }
}
