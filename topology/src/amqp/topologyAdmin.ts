/** Changes of a topology by AMQP: declaring, binding, deleting exchanges and queues. */
import type { Channel, ChannelModel } from 'amqplib';
import { TopologyError } from '../errors.ts';
import type { LiveBinding } from '../management/liveTopology.ts';
import type { ExchangePlan, NotesPlan, QueuePlan } from '../plan/topologyPlan.ts';
import { brokerVersion, closeConnection, openConnection } from './connection.ts';
import type { QueueDepth } from './inspector.ts';

/** Every call may be repeated: an object that exists is left as it is, a missing object is not an error. A lost connection rejects all calls. */
export interface TopologyAdmin {
  /** Version of the broker, such as '4.3.6'. */
  readonly version: string;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` if the exchange exists with other arguments. */
  declareExchange(exchange: ExchangePlan): Promise<void>;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` if the queue exists with other arguments. */
  declareQueue(queue: QueuePlan): Promise<void>;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` if the stream or its exchange exists with other arguments. */
  declareNotes(notes: NotesPlan): Promise<void>;
  /** Binds a queue or an exchange. */
  bind(binding: LiveBinding): Promise<void>;
  /** Removes a binding. The broker answers a missing binding as removed. */
  unbind(binding: LiveBinding): Promise<void>;
  /** Deletes an exchange with its bindings. */
  deleteExchange(name: string): Promise<unknown>;
  /** Deletes a queue with all its messages: the caller has made sure that there are none. */
  deleteQueue(name: string): Promise<unknown>;
  /** Sends a passive declare. @returns undefined if there is no such queue. */
  depthOf(queue: string): Promise<QueueDepth | undefined>;
}

/** A topology admin with its connection, which is not opened again after a loss. */
export interface OpenTopologyAdmin extends TopologyAdmin {
  /** Closes the connection. */
  close(): Promise<void>;
}

const NOT_FOUND = 404;
const ACCESS_REFUSED = 403;
const PRECONDITION_FAILED = 406;

/**
 * Opens a connection for one change of a topology, as an operator does.
 * @param label is shown in the broker's list of connections.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED` (login, virtual host).
 */
export async function openTopologyAdmin(
  amqpUrl: string,
  label = 'topology',
): Promise<OpenTopologyAdmin> {
  const model = await openConnection(amqpUrl, label);
  let current: Channel | undefined;
  // A refused request closes its channel, so that the next request opens another.
  const request = async <Answer>(ask: (channel: Channel) => Promise<Answer>): Promise<Answer> => {
    current ??= await openChannel(model, (closed) => {
      if (current === closed) current = undefined;
    });
    return await ask(current);
  };
  return {
    version: brokerVersion(model),
    declareExchange: (exchange) => request((channel) => declareExchange(channel, exchange)),
    declareQueue: (queue) => request((channel) => declareQueue(channel, queue)),
    declareNotes: (notes) => request((channel) => declareNotes(channel, notes)),
    bind: (binding) => request((channel) => bind(channel, binding)),
    unbind: (binding) => request((channel) => unbind(channel, binding)),
    deleteExchange: (name) => request((channel) => channel.deleteExchange(name)),
    deleteQueue: (name) => request((channel) => channel.deleteQueue(name)),
    depthOf: (queue) => request((channel) => depthOf(channel, queue)),
    close: () => closeConnection(model),
  };
}

async function openChannel(
  model: ChannelModel,
  onClose: (channel: Channel) => void,
): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  channel.on('close', () => {
    onClose(channel);
  });
  return channel;
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

async function bind(channel: Channel, binding: LiveBinding): Promise<void> {
  const { source, destination, key, arguments: headers } = binding;
  if (binding.destinationType === 'queue')
    await channel.bindQueue(destination, source, key, { ...headers });
  else await channel.bindExchange(destination, source, key, { ...headers });
}

async function unbind(channel: Channel, binding: LiveBinding): Promise<void> {
  const { source, destination, key, arguments: headers } = binding;
  if (binding.destinationType === 'queue')
    await channel.unbindQueue(destination, source, key, { ...headers });
  else await channel.unbindExchange(destination, source, key, { ...headers });
}

async function depthOf(channel: Channel, queue: string): Promise<QueueDepth | undefined> {
  try {
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    return { readyCount: messageCount, consumerCount };
  } catch (error) {
    if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
    throw error;
  }
}
