/** What workloads run on: native servers of their own, and on these an isolated virtual host or a whole system. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import {
  freePorts,
  type ServerName,
  type Stack,
  type System,
  startStack,
  startSystem,
} from '@fit/stack';
import { declareTopology } from '@fit/topology';
import { assertTopology } from '@fit/topology/assert';
import { ManagementApi } from '@fit/topology/management';
import { type ChannelModel, connect } from 'amqplib';
import { type Db, MongoClient } from 'mongodb';

const STACK_NAME = `bench-${process.pid}`;
const STACK_FOLDER = resolve(import.meta.dirname, '../../../.stack', STACK_NAME);
/** The broker deletes the queues of a virtual host first, and large ones take long. */
const DELETE_TIMEOUT_MS = 60_000;

/** Starts the servers, runs `work`, and removes the servers with their data, also if `work` fails. */
export async function withServers<Result>(
  servers: readonly ServerName[],
  work: (stack: Stack) => Promise<Result>,
): Promise<Result> {
  const stack = await startStack({
    name: STACK_NAME,
    ports: await freePorts(),
    servers,
    folder: STACK_FOLDER,
    endsOnSignal: true,
  });
  try {
    return await work(stack);
  } finally {
    await stack.stop({ purge: true });
  }
}

/** The topology in an isolated virtual host. The first tier is the one whose lateness is measured. */
export const BENCH_TOPOLOGY = declareTopology({
  exchange: 'bench',
  kinds: {
    // More messages than any workload publishes: a full queue would nack, and the time of nacks is not measured.
    one: { key: 'bench.one', queue: 'one', tiers: ['1s', '2s'], maxLength: 10_000_000 },
  },
});

export interface IsolatedVhost {
  readonly amqpUrl: string;
  readonly managementUrl: string;
  /** For preparations and checks; measured code opens connections of its own. */
  readonly connection: ChannelModel;
}

/** Creates a virtual host with `BENCH_TOPOLOGY`, runs `work`, and deletes the virtual host with its queues. */
export async function withIsolatedVhost<Result>(
  stack: Stack,
  work: (vhost: IsolatedVhost) => Promise<Result>,
): Promise<Result> {
  const name = `bench-${randomUUID()}`;
  const managementUrl = managementUrlOf(stack);
  const amqpUrl = await createVhost(stack, name);
  try {
    const connection = await connect(amqpUrl, { noDelay: true });
    try {
      await assertTopology(connection, BENCH_TOPOLOGY, { amqpUrl, managementUrl });
      return await work({ amqpUrl, managementUrl, connection });
    } finally {
      await connection.close();
    }
  } finally {
    requireSuccess(
      await new ManagementApi(managementUrl, name).delete(['vhosts', name], DELETE_TIMEOUT_MS),
    );
  }
}

/** Monolith and one coach in a virtual host and a database of their own. */
export interface SystemUnderTest {
  readonly system: System;
  readonly database: Db;
  readonly amqpUrl: string;
  /** Process ids of monolith and coach, in this order. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export interface SystemUnderTestOptions {
  /** The name of its virtual host, its database and the folder of its logs. */
  readonly name: string;
  /** Further variables of both processes. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts monolith and coach on servers that have a broker and a database. */
export async function startSystemUnderTest(
  stack: Stack,
  { name, env = {} }: SystemUnderTestOptions,
): Promise<SystemUnderTest> {
  const amqpUrl = await createVhost(stack, name);
  const mongodbUrl = new URL(`/${name}`, stack.mongodbUrl).href;
  const system = await startSystem({
    amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl,
    folder: resolve(STACK_FOLDER, 'logs', name),
    env,
  });
  const client = new MongoClient(mongodbUrl);
  return {
    system,
    database: client.db(),
    amqpUrl,
    pids: [system.monolith, ...system.coaches].map(({ child }) => child.pid),
    stop: async () => {
      await client.close();
      await system.stop();
    },
  };
}

/** @returns such as 'RabbitMQ 4.3.6'. */
export async function describeBroker(stack: Stack): Promise<string> {
  return `RabbitMQ ${await new ManagementApi(managementUrlOf(stack), '/').version()}`;
}

/** @returns the AMQP URL of the new virtual host. */
async function createVhost(stack: Stack, name: string): Promise<string> {
  const managementUrl = managementUrlOf(stack);
  const management = new ManagementApi(managementUrl, name);
  const user = decodeURIComponent(new URL(managementUrl).username) || 'guest';
  requireSuccess(await management.put(['vhosts', name], {}));
  requireSuccess(
    await management.put(['permissions', name, user], { configure: '.*', write: '.*', read: '.*' }),
  );
  return new URL(`/${name}`, stack.amqpUrl).href;
}

/** @throws Error if the broker was given from outside, without its management API. */
function managementUrlOf({ managementUrl }: Stack): string {
  if (managementUrl !== undefined) return managementUrl;
  throw new Error('the benchmark needs the management API of its own broker: unset AMQP_URL');
}

function requireSuccess(refusal: string | undefined): void {
  if (refusal !== undefined) throw new Error(`the broker refused: ${refusal}`);
}
