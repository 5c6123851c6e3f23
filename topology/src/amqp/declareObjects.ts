/** Declares what a plan has, and looks whether it exists. */
import type { Channel } from 'amqplib';
import { TopologyError } from '../errors.ts';
import type {
  BindingPlan,
  ExchangePlan,
  NotesPlan,
  QueuePlan,
  TopologyPlan,
} from '../plan/topologyPlan.ts';
import type { BrokerConnection } from './connection.ts';
import { modelOf } from './openConnection.ts';

const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** Channels that declare at the same time: a broker answers the requests of one channel one after the other. */
const CHANNEL_COUNT = 8;

/**
 * Declares exchanges, then queues, notes and bindings; existing objects stay as they are. The bindings of the exchange that is bound
 * last, which is the public one, wait for all others, so that no message arrives before its retries have their ways.
 * @throws TopologyError `TOPOLOGY_DIFFERS`.
 */
export async function declareObjects(
  connection: BrokerConnection,
  plan: Pick<TopologyPlan, 'exchanges' | 'queues' | 'bindings' | 'notes'>,
): Promise<void> {
  const bind = (channel: Channel, { queue, exchange, key, arguments: headers }: BindingPlan) =>
    orDiffers(queue, channel.bindQueue(queue, exchange, key, headers));
  const lastExchange = plan.bindings.at(-1)?.exchange;
  const most = Math.max(plan.exchanges.length, plan.queues.length, plan.bindings.length);
  const channels = await Promise.all(
    Array.from({ length: Math.min(CHANNEL_COUNT, most) }, () => openQuietChannel(connection)),
  );
  await declareAll(channels, plan.exchanges, declareExchange);
  await declareAll(channels, plan.queues, declareQueue);
  await declareAll(channels, plan.notes, declareNotes);
  await declareAll(
    channels,
    plan.bindings.filter(({ exchange }) => exchange !== lastExchange),
    bind,
  );
  await declareAll(
    channels,
    plan.bindings.filter(({ exchange }) => exchange === lastExchange),
    bind,
  );
  await Promise.all(channels.map((channel) => channel.close()));
}

/** @throws what the first of the objects throws that cannot be declared, once every channel has ended. */
async function declareAll<Item>(
  channels: readonly Channel[],
  items: readonly Item[],
  declare: (channel: Channel, item: Item) => Promise<unknown>,
): Promise<void> {
  const ended = await Promise.allSettled(
    channels.map(async (channel, first) => {
      for (let index = first; index < items.length; index += channels.length)
        await declare(channel, items[index] as Item);
    }),
  );
  const failed = ended.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** @throws TopologyError `TOPOLOGY_DIFFERS` if the exchange exists with another type or alternate exchange. */
export async function declareExchange(channel: Channel, exchange: ExchangePlan): Promise<void> {
  const { name, type, alternate } = exchange;
  const options =
    alternate === undefined ? { durable: true } : { durable: true, alternateExchange: alternate };
  await orDiffers(name, channel.assertExchange(name, type, options));
}

/** @throws TopologyError `TOPOLOGY_DIFFERS` if the queue exists with other arguments. */
export async function declareQueue(
  channel: Channel,
  queue: Pick<QueuePlan, 'name' | 'arguments'>,
): Promise<void> {
  const options = { durable: true, arguments: { ...queue.arguments } };
  await orDiffers(queue.name, channel.assertQueue(queue.name, options));
}

/** @throws TopologyError `TOPOLOGY_DIFFERS` if the stream or the exchange exists with other arguments. */
export async function declareNotes(channel: Channel, notes: NotesPlan): Promise<void> {
  const { name } = notes;
  await declareExchange(channel, { name, type: 'fanout', alternate: undefined });
  await declareQueue(channel, notes);
  await orDiffers(name, channel.bindQueue(name, name, ''));
}

/**
 * The broker answers 406 if an object of that name has other arguments, 403 if the user may not declare it, and closes the channel.
 * @throws TopologyError `TOPOLOGY_DIFFERS`, `BROKER_REFUSED`: trying again changes neither.
 */
export async function orDiffers(name: string, asserted: Promise<unknown>): Promise<void> {
  try {
    await asserted;
  } catch (error) {
    if ((error as { code?: unknown }).code === ACCESS_REFUSED) {
      const remedy = `the user has no right to declare or bind it (${(error as Error).message}): open with assert: 'check' and let an operator run topology apply, or give the user the right to configure`;
      throw new TopologyError(
        'BROKER_REFUSED',
        [{ code: 'DECLARE_REFUSED', subject: name, remedy }],
        { cause: error },
      );
    }
    if ((error as { code?: unknown }).code !== PRECONDITION_FAILED) throw error;
    const answer = (error as Error).message;
    const remedy =
      remedyForLimits(answer) ??
      `it exists with other arguments (${answer}); use another virtual host for another profile, or drain and delete it`;
    throw new TopologyError(
      'TOPOLOGY_DIFFERS',
      [{ code: 'ARGUMENTS_DIFFER', subject: name, remedy }],
      { cause: error },
    );
  }
}

/**
 * With a management URL limits are policies, without one they are arguments of the queue, so processes of both sorts cannot
 * share a queue.
 * @param answer is the broker's, such as "inequivalent arg 'x-max-length' for queue 'one' in vhost '/': received none but
 * current is the value '10000' of type 'signedint'".
 * @returns undefined if another argument differs.
 */
function remedyForLimits(answer: string): string | undefined {
  const [, name, received] =
    /inequivalent arg '(x-max-length|x-delivery-limit)' .*received (none|the value)/.exec(answer) ??
    [];
  if (name === undefined) return undefined;
  const [here, there] = received === 'none' ? ['with', 'without'] : ['without', 'with'];
  return `${name} differs (${answer}): this process was opened ${here} managementUrl, and the queue was made by one ${there} it. With managementUrl limits are policies, without it they are arguments of the queue. Open every process of this broker alike: give managementUrl to all of them or to none. To change over, stop them all, drain the queue and delete it`;
}

/** What passive declarations found. */
export interface Look {
  /** Names that the broker does not know. */
  readonly missing: readonly string[];
  /** Names that it does not show to this user. */
  readonly refused: readonly string[];
}

/** @returns which of these exchanges are missing. */
export function lookForExchanges(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<Look> {
  return look(connection, names, (channel, name) => channel.checkExchange(name));
}

/** @returns which of these queues are missing. */
export function lookForQueues(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<Look> {
  return look(connection, names, (channel, name) => channel.checkQueue(name));
}

/** The broker closes the channel where it does not know a name or does not show it. */
async function look(
  connection: BrokerConnection,
  names: readonly string[],
  check: (channel: Channel, name: string) => Promise<unknown>,
): Promise<Look> {
  const missing: string[] = [];
  const refused: string[] = [];
  let channel: Channel | undefined;
  for (const name of names) {
    channel ??= await openQuietChannel(connection);
    try {
      await check(channel, name);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== NOT_FOUND && code !== ACCESS_REFUSED) throw error;
      (code === NOT_FOUND ? missing : refused).push(name);
      channel = undefined;
    }
  }
  await channel?.close();
  return { missing, refused };
}

async function openQuietChannel(connection: BrokerConnection): Promise<Channel> {
  const channel = await modelOf(connection).createChannel();
  channel.on('error', () => undefined);
  return channel;
}
