/** Changes of a topology by AMQP: declaring, binding, deleting exchanges and queues. */
import type { Channel, ChannelModel } from 'amqplib';
import type { LiveBinding } from '../management/liveTopology.ts';
import type { ExchangePlan, NotesPlan, QueuePlan } from '../plan/topologyPlan.ts';
import { brokerVersion } from './connection.ts';
import { declareExchange, declareNotes, declareQueue } from './declareObjects.ts';
import type { QueueDepth } from './inspector.ts';
import { closeConnection, openConnection } from './openConnection.ts';

/** Every call may be repeated: an object that exists is left as it is, a missing object is not an error. A lost connection rejects all calls. */
export interface TopologyAdmin {
  /** Version of the broker, such as '4.3.6'. */
  readonly version: string;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` if the exchange exists with other arguments. */
  declareExchange(exchange: ExchangePlan): Promise<void>;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` if the queue exists with other arguments. */
  declareQueue(queue: Pick<QueuePlan, 'name' | 'arguments'>): Promise<void>;
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
