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
 * @param answer the broker's, such as "inequivalent arg 'x-max-length' for queue 'one' in vhost '/': received none but
 * current is the value '10000' of type 'signedint'".
 * @returns undefined where another argument differs.
 */
function remedyForLimits(answer: string): string | undefined {
  const [, name, received] =
    /inequivalent arg '(x-max-length|x-delivery-limit)' .*received (none|the value)/.exec(answer) ??
    [];
  if (name === undefined) return undefined;
  const [itself, other] = received === 'none' ? ['with', 'without'] : ['without', 'with'];
  return `${name} differs (${answer}): this process was opened ${itself} managementUrl, and the queue was made by one ${other} it. With managementUrl limits are policies, without it they are arguments of the queue. Open every process of this broker alike: give managementUrl to all of them or to none. To change over, stop them all, drain the queue and delete it`;
}
