/** Declares one exchange or queue of a plan; what is there with the same arguments is left as it is. */
import type { Channel } from 'amqplib';
import { TopologyError } from '../errors.ts';
import type { ExchangePlan, QueuePlan } from '../plan/topologyPlan.ts';

/** @throws TopologyError `TOPOLOGY_DIFFERS` where it exists with another type or alternate. */
export async function declareExchange(channel: Channel, exchange: ExchangePlan): Promise<void> {
  const { name, type, alternate } = exchange;
  const options = alternate === undefined ? {} : { alternateExchange: alternate };
  await orDiffers(name, channel.assertExchange(name, type, { durable: true, ...options }));
}

/** @throws TopologyError `TOPOLOGY_DIFFERS` where it exists with other arguments. */
export async function declareQueue(channel: Channel, queue: QueuePlan): Promise<void> {
  const options = { durable: true, arguments: { ...queue.arguments } };
  await orDiffers(queue.name, channel.assertQueue(queue.name, options));
}

/** Arguments are identity: the broker answers 406 to others and closes the channel. */
async function orDiffers(name: string, asserted: Promise<unknown>): Promise<void> {
  try {
    await asserted;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 406) throw error;
    const remedy = `it exists with other arguments (${(error as Error).message}); use another virtual host for another profile, or drain and delete it`;
    throw new TopologyError(
      'TOPOLOGY_DIFFERS',
      [{ code: 'ARGUMENTS_DIFFER', culprit: name, remedy }],
      { cause: error },
    );
  }
}
