/** Somebody changes the broker by hand: deletes a queue, sets a policy, consumes a wait queue. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelModel, connect } from 'amqplib';
import type { AlertTestEnvironment } from '../alertTestEnvironment.ts';
import type { Fault } from '../fault.ts';

const WAIT_QUEUE = 'createWodQueue.wait.3.10s';
const POLICY_PATH = '/api/policies/%2F/by-hand';

/** The relay publishes once a second while its messages are returned, so it hardly meets a binding that was restored. */
const UNBIND_INTERVAL_MS = 10;

const deleting: { timer?: NodeJS.Timeout } = {};

export const queueDeleted: Fault = {
  name: 'queue deleted',
  description: `a foreign program deletes ${WAIT_QUEUE} every second, so restoring it does not help`,
  expected: ['TopologyDrift critical'],
  labels: { 'TopologyDrift critical': { queue: WAIT_QUEUE } },
  inject: async (environment) => {
    const path = `/api/queues/%2F/${WAIT_QUEUE}`;
    await requestManagement(environment, { method: 'DELETE', path });
    deleting.timer = setInterval(() => {
      // The queue is missing most of the time, which the broker answers with 404.
      void requestManagement(environment, { method: 'DELETE', path }).catch(() => undefined);
    }, 1_000);
  },
  // Monolith and coach restore what is missing every 30 s.
  repair: () => {
    clearInterval(deleting.timer);
    return Promise.resolve();
  },
};

export const policyChanged: Fault = {
  name: 'policy changed by hand',
  description: 'a policy of higher priority limits createWodQueue to 150',
  expected: ['TopologyDrift warning'],
  labels: { 'TopologyDrift warning': { queue: 'createWodQueue' } },
  inject: async (environment) => {
    await requestManagement(environment, {
      method: 'PUT',
      path: POLICY_PATH,
      body: {
        pattern: '^createWodQueue$',
        priority: 999,
        'apply-to': 'queues',
        definition: { 'max-length': 150, 'delivery-limit': 5 },
      },
    });
  },
  repair: async (environment) => {
    await requestManagement(environment, { method: 'DELETE', path: POLICY_PATH });
  },
};

const connections: ChannelModel[] = [];

export const waitQueueConsumed: Fault = {
  name: 'consumer on a wait queue',
  description: `a foreign program consumes ${WAIT_QUEUE} and acknowledges nothing`,
  expected: ['TopologyDrift warning'],
  labels: { 'TopologyDrift warning': { queue: WAIT_QUEUE } },
  inject: async ({ stack }) => {
    const connection = await connect(stack.amqpUrl);
    connections.push(connection);
    const channel = await connection.createChannel();
    await channel.consume(WAIT_QUEUE, () => undefined);
  },
  repair: async () => {
    for (const connection of connections.splice(0)) await connection.close();
  },
};

const unbinding: { stop?: () => Promise<void> } = {};

export const bindingDeleted: Fault = {
  name: 'binding deleted',
  description:
    'a foreign program deletes the binding of createWodQueue all the time, so restoring it does not help',
  expected: ['OutboxStalled critical'],
  sideAlerts: {
    'MessagesDropped warning': 'the broker returns what the relay publishes',
    'BacklogTooLong warning': 'the outbox grows while no job ends',
  },
  deadlineSeconds: 120,
  inject: async ({ stack }) => {
    const connection = await connect(stack.amqpUrl);
    const channel = await connection.createChannel();
    let isStopped = false;
    const unbind = async () => {
      while (!isStopped) {
        await channel.unbindQueue('createWodQueue', 'jobs', 'job.createWod');
        await delay(UNBIND_INTERVAL_MS);
      }
    };
    const unbound = unbind();
    unbinding.stop = async () => {
      isStopped = true;
      await unbound;
      await connection.close();
    };
  },
  // Monolith and coach restore what is missing every 30 s.
  repair: async () => {
    await unbinding.stop?.();
  },
};

interface ManagementRequest {
  readonly method: 'PUT' | 'DELETE';
  /** Begins with /api/; names in it are encoded. */
  readonly path: string;
  readonly body?: object;
}

/** Sends one request to the broker's management API. @throws Error with the answer if the broker refuses. */
export async function requestManagement(
  { managementUrl }: Pick<AlertTestEnvironment, 'managementUrl'>,
  { method, path, body }: ManagementRequest,
): Promise<void> {
  const { username, password, origin } = new URL(managementUrl);
  const response = await fetch(new URL(path, origin), {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}
