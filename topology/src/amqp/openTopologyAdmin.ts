/** The AMQP side of a change of the topology: one connection, one question at a time. */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { LiveBinding } from '../management/liveTopology.ts';
import { brokerVersion } from './brokerVersion.ts';
import { connectFailure } from './connectFailure.ts';
import { declareExchange, declareQueue } from './declareObject.ts';
import { endConnection } from './endConnection.ts';
import { credentialsIn, withHeartbeat } from './openSession.ts';
import type { Depth, TopologyAdmin } from './topologyAdmin.ts';

/** A frozen broker accepts TCP and says nothing. */
const CONNECT_TIMEOUT_MS = 5_000;
const NOT_FOUND = 404;

/** A hand that somebody holds; the connection does not come back by itself. */
export interface OpenTopologyAdmin extends TopologyAdmin {
  close(): Promise<void>;
}

/**
 * Connects as an operator does: for one change of the topology.
 * @param label shown in the broker's list of connections.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED` (login, virtual host).
 */
export async function openTopologyAdmin(
  amqpUrl: string,
  label = 'topology',
): Promise<OpenTopologyAdmin> {
  const model = await connected(amqpUrl, label);
  // Without a listener an error would end the process; whoever waits for an answer gets it anyway.
  model.on('error', () => undefined);
  const channels = new Channels(model);
  return {
    version: brokerVersion(model),
    declareExchange: (exchange) => channels.use((channel) => declareExchange(channel, exchange)),
    declareQueue: (queue) => channels.use((channel) => declareQueue(channel, queue)),
    bind: (binding) => channels.use((channel) => bind(channel, binding)),
    unbind: (binding) => channels.use((channel) => unbind(channel, binding)),
    deleteExchange: (name) => channels.use((channel) => channel.deleteExchange(name)),
    deleteQueue: (name) => channels.use((channel) => channel.deleteQueue(name)),
    depthOf: (queue) => channels.use((channel) => depthOf(channel, queue)),
    close: () => endConnection(model),
  };
}

/** What is refused closes its channel; the next question gets a new one. */
class Channels {
  readonly #model: ChannelModel;
  #channel: Channel | undefined;

  constructor(model: ChannelModel) {
    this.#model = model;
  }

  async use<Answer>(ask: (channel: Channel) => Promise<Answer>): Promise<Answer> {
    this.#channel ??= await this.#open();
    return await ask(this.#channel);
  }

  async #open(): Promise<Channel> {
    const channel = await this.#model.createChannel();
    channel.on('error', () => undefined);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    return channel;
  }
}

async function connected(amqpUrl: string, label: string): Promise<ChannelModel> {
  try {
    return await connect(withHeartbeat(amqpUrl), {
      credentials: credentialsIn(amqpUrl),
      timeout: CONNECT_TIMEOUT_MS,
      noDelay: true,
      clientProperties: { connection_name: label },
    });
  } catch (error) {
    throw connectFailure(error, amqpUrl);
  }
}

async function bind(channel: Channel, binding: LiveBinding): Promise<void> {
  const { source, destination, key, arguments: headers } = binding;
  if (binding.destinationType === 'queue')
    await channel.bindQueue(destination, source, key, { ...headers });
  else await channel.bindExchange(destination, source, key, { ...headers });
}

/** An unbinding that finds no binding is answered as done. */
async function unbind(channel: Channel, binding: LiveBinding): Promise<void> {
  const { source, destination, key, arguments: headers } = binding;
  if (binding.destinationType === 'queue')
    await channel.unbindQueue(destination, source, key, { ...headers });
  else await channel.unbindExchange(destination, source, key, { ...headers });
}

async function depthOf(channel: Channel, queue: string): Promise<Depth | undefined> {
  try {
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    return { readyCount: messageCount, consumerCount };
  } catch (error) {
    if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
    throw error;
  }
}
