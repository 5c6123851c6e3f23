/** Somebody's hand on the broker: a queue deleted, a policy changed, a consumer where none belongs. */
import { type ChannelModel, connect } from 'amqplib';
import type { Fault } from '../fault.ts';
import { askBroker } from '../managementRequest.ts';

const WAIT_QUEUE = 'createWodQueue.wait.3.10s';
const POLICY = { method: 'PUT', path: '/api/policies/%2F/by-hand' } as const;

export const queueDeleted: Fault = {
  name: 'queue deleted',
  about: `${WAIT_QUEUE} is deleted on the broker`,
  expected: ['QueueMissing critical'],
  inject: async (world) => {
    await askBroker(world, { method: 'DELETE', path: `/api/queues/%2F/${WAIT_QUEUE}` });
  },
  // Each process asserts the topology when it connects.
  mend: ({ system }) => system.restartMonolith(),
};

export const policyChanged: Fault = {
  name: 'policy changed by hand',
  about: 'a policy of higher priority limits createWodQueue to 150',
  expected: ['TopologyDrift warning'],
  inject: async (world) => {
    await askBroker(world, {
      ...POLICY,
      body: {
        pattern: '^createWodQueue$',
        priority: 999,
        'apply-to': 'queues',
        definition: { 'max-length': 150, 'delivery-limit': 5 },
      },
    });
  },
  mend: async (world) => {
    await askBroker(world, { ...POLICY, method: 'DELETE' });
  },
};

const strangers: ChannelModel[] = [];

export const waitConsumed: Fault = {
  name: 'consumer on a wait queue',
  about: `a stranger consumes ${WAIT_QUEUE} and acknowledges nothing`,
  expected: ['ParkedQueueConsumed warning'],
  inject: async ({ stack }) => {
    const stranger = await connect(stack.amqpUrl);
    strangers.push(stranger);
    const channel = await stranger.createChannel();
    await channel.consume(WAIT_QUEUE, () => undefined);
  },
  mend: async () => {
    for (const stranger of strangers.splice(0)) await stranger.close();
  },
};
