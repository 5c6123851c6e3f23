/** What workloads run on: native servers of their own, and on these an isolated virtual host or a whole system. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import {
  freePorts,
  type ServerName,
  type Stack,
  type StackOptions,
  type StackPorts,
  type System,
  startStack,
  startSystem,
} from '@fit/stack';
import { declareTopology } from '@fit/topology';
import { assertTopology } from '@fit/topology/assert';
import { ManagementApi } from '@fit/topology/management';
import { type ChannelModel, connect } from 'amqplib';
import { type Db, MongoClient } from 'mongodb';
import type { ProcessGroups } from './processUsage.ts';

const STACK_NAME = `bench-${process.pid}`;
const STACK_FOLDER = resolve(import.meta.dirname, '../../../.stack', STACK_NAME);
/** The broker deletes the queues of a virtual host first, and large ones take long. */
const DELETE_TIMEOUT_MS = 60_000;

/** Starts the servers, runs `work`, and removes the servers with their data, also if `work` fails. */
export async function withServers<Result>(
  servers: readonly ServerName[],
  work: (stack: Stack) => Promise<Result>,
  options: Pick<StackOptions, 'ports' | 'prometheusConfigFolder'> = {},
): Promise<Result> {
  const stack = await startStack({
    name: STACK_NAME,
    servers,
    folder: STACK_FOLDER,
    endsOnSignal: true,
    ...options,
    ports: options.ports ?? (await freePorts()),
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
    await deleteVhost(stack, name);
  }
}

/** Monoliths and coaches in a virtual host and a database of their own. */
export interface SystemUnderTest {
  readonly system: System;
  readonly database: Db;
  readonly amqpUrl: string;
  readonly monolithPids: readonly number[];
  readonly coachPids: readonly number[];
  /** Process ids of monoliths and coaches, in this order. */
  readonly pids: readonly number[];
  /** Stops monoliths and coaches; what they stored stays. May be called before `stop`. */
  stopServices(): Promise<void>;
  stop(): Promise<void>;
}

export interface SystemUnderTestOptions {
  /** The name of its virtual host, its database and the folder of its logs. */
  readonly name: string;
  /** Further variables of all processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: free ones. */
  readonly ports?: StackPorts;
  /** Default 1. */
  readonly monolithCount?: number;
  /** Default 1. */
  readonly coachCount?: number;
}

/** Starts monoliths and coaches on servers that have a broker and a database. */
export async function startSystemUnderTest(
  stack: Stack,
  options: SystemUnderTestOptions,
): Promise<SystemUnderTest> {
  const { name, env = {}, ports, monolithCount = 1, coachCount = 1 } = options;
  const amqpUrl = await createVhost(stack, name);
  const mongodbUrl = new URL(`/${name}`, stack.mongodbUrl).href;
  const logFolder = (number: number) => resolve(STACK_FOLDER, 'logs', name, String(number));
  const common = {
    amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl,
    secretsFolder: logFolder(1),
    env,
  };
  const system = await startSystem({
    ...common,
    folder: logFolder(1),
    coachCount,
    ...(ports === undefined ? {} : { ports }),
  });
  const systems = [system];
  const stopServices = async () => {
    for (const each of systems.toReversed()) await each.stop();
  };
  try {
    for (let number = 2; number <= monolithCount; number += 1)
      systems.push(await startSystem({ ...common, folder: logFolder(number), coachCount: 0 }));
  } catch (error) {
    await stopServices();
    throw error;
  }
  const client = new MongoClient(mongodbUrl);
  const monolithPids = systems.map(({ monolith }) => monolith.child.pid);
  const coachPids = system.coaches.map(({ child }) => child.pid);
  return {
    system,
    database: client.db(),
    amqpUrl,
    monolithPids,
    coachPids,
    pids: [...monolithPids, ...coachPids],
    stopServices,
    stop: async () => {
      await client.close();
      await stopServices();
    },
  };
}

let systemNumber = 0;

/** Starts a system with a new name, runs `work`, and removes the system with its virtual host and its database. */
export async function withSystemUnderTest<Result>(
  stack: Stack,
  options: Omit<SystemUnderTestOptions, 'name'>,
  work: (tested: SystemUnderTest) => Promise<Result>,
): Promise<Result> {
  systemNumber += 1;
  const name = `fit-${systemNumber}`;
  const tested = await startSystemUnderTest(stack, { ...options, name });
  try {
    const result = await work(tested);
    await tested.stopServices();
    await tested.database.dropDatabase();
    await deleteVhost(stack, name);
    return result;
  } finally {
    await tested.stop();
  }
}

/** A virtual host and a database of their own, for work that is measured without FIT. */
export interface BareDatabase {
  readonly amqpUrl: string;
  readonly mongodbUrl: string;
  readonly database: Db;
}

let bareNumber = 0;

/** As `withSystemUnderTest`, without a system. */
export async function withBareDatabase<Result>(
  stack: Stack,
  work: (bare: BareDatabase) => Promise<Result>,
): Promise<Result> {
  bareNumber += 1;
  const name = `bare-${bareNumber}`;
  const amqpUrl = await createVhost(stack, name);
  const mongodbUrl = new URL(`/${name}`, stack.mongodbUrl).href;
  const client = new MongoClient(mongodbUrl);
  try {
    const result = await work({ amqpUrl, mongodbUrl, database: client.db() });
    await client.db().dropDatabase();
    await deleteVhost(stack, name);
    return result;
  } finally {
    await client.close();
  }
}

/** @returns the processes of a stack's servers and of a system, by the name that reports show. */
export function processGroups(stack: Stack, services: ProcessGroups): ProcessGroups {
  const pidsOf = (name: ServerName) =>
    stack.servers.filter((server) => server.name === name).map(({ pid }) => pid);
  return {
    PostgreSQL: pidsOf('postgresql'),
    gateway: pidsOf('gateway'),
    RabbitMQ: pidsOf('rabbitmq'),
    Redis: pidsOf('redis'),
    ...services,
  };
}

/** @returns the folder of a socket that a server of the stack listens on. @throws Error if the stack does not run it. */
export function socketOf(stack: Stack, name: ServerName): string {
  const url = stack.servers.find((server) => server.name === name)?.url;
  if (url?.startsWith('unix:') !== true) throw new Error(`the stack runs no ${name} of its own`);
  return url.slice('unix:'.length);
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

async function deleteVhost(stack: Stack, name: string): Promise<void> {
  const management = new ManagementApi(managementUrlOf(stack), name);
  requireSuccess(await management.delete(['vhosts', name], DELETE_TIMEOUT_MS));
}

/** @throws Error if the broker was given from outside, without its management API. */
function managementUrlOf({ managementUrl }: Stack): string {
  if (managementUrl !== undefined) return managementUrl;
  throw new Error('the benchmark needs the management API of its own broker: unset AMQP_URL');
}

function requireSuccess(refusal: string | undefined): void {
  if (refusal !== undefined) throw new Error(`the broker refused: ${refusal}`);
}
