/** Somebody changes the broker by hand: deletes a queue or a binding, sets a policy, consumes a wait queue. */
import { type ChannelModel, connect } from 'amqplib';
import type { AlertTestEnvironment } from '../alertTestEnvironment.ts';
import type { Fault } from '../fault.ts';

const WAIT_QUEUE = 'createWodQueue.wait.3.10s';
const POLICY_PATH = '/api/policies/%2F/by-hand';

export const queueDeleted: Fault = {
  name: 'queue deleted',
  description: `${WAIT_QUEUE} is deleted on the broker`,
  expected: ['TopologyDrift critical'],
  labels: { 'TopologyDrift critical': { queue: WAIT_QUEUE } },
  inject: async (environment) => {
    await requestManagement(environment, {
      method: 'DELETE',
      path: `/api/queues/%2F/${WAIT_QUEUE}`,
    });
  },
  // Each process asserts the topology when it connects.
  repair: ({ system }) => system.restartMonolith(),
};

export const bindingDeleted: Fault = {
  name: 'binding deleted',
  description: 'the binding of createWodQueue is deleted: the broker returns every job',
  expected: ['OutboxStalled critical'],
  sideAlerts: { 'MessagesDropped warning': 'the broker counts the returned jobs as unroutable' },
  inject: async (environment) => {
    await requestManagement(environment, {
      method: 'DELETE',
      path: '/api/bindings/%2F/e/jobs/q/createWodQueue/job.createWod',
    });
  },
  repair: ({ system }) => system.restartMonolith(),
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
