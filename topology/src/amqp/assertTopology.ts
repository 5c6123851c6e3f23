/** Plan → broker. Safe to run at any time, by any number of processes: it only adds what is missing. */
import type { Channel, ChannelModel } from 'amqplib';
import type { Declaration } from '../declaration/declareTopology.ts';
import { TopologyError } from '../errors.ts';
import { compareVersions } from '../plan/brokerProfile.ts';
import { planTopology } from '../plan/planTopology.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { provePlan } from '../proof/provePlan.ts';
import { applyPolicies } from './management.ts';

export interface AssertOptions {
  readonly amqpUrl: string;
  /** Absent: limits become queue arguments, which only a migration can change. */
  readonly managementUrl: string | undefined;
}

/**
 * Plans for this broker's version, proves the plan, then asserts policies, exchanges, queues, bindings in that order.
 * @throws TopologyError `BROKER_REFUSED` (version), `PLAN_REFUSED`, `TOPOLOGY_DIFFERS` (an object with other arguments
 * is there), `POLICY_FAILED`.
 */
export async function assertTopology(
  model: ChannelModel,
  declaration: Declaration,
  options: AssertOptions,
): Promise<TopologyPlan> {
  const version = brokerVersion(model);
  refuseVersion(version);
  const hasManagement = options.managementUrl !== undefined;
  const plan = planTopology(declaration, { version, hasManagement });
  provePlan(declaration, plan);
  // Policies first: no queue is ever without its limit.
  if (options.managementUrl !== undefined)
    await applyPolicies(options.managementUrl, vhostOf(options.amqpUrl), plan.policies);
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await assertExchanges(channel, plan);
  await assertQueues(channel, plan);
  for (const { queue, exchange, key, arguments: headers } of plan.bindings)
    await channel.bindQueue(queue, exchange, key, headers);
  await channel.close();
  return plan;
}

async function assertExchanges(channel: Channel, plan: TopologyPlan): Promise<void> {
  for (const { name, type, alternate } of plan.exchanges) {
    const options = alternate === undefined ? {} : { alternateExchange: alternate };
    await orDiffers(name, channel.assertExchange(name, type, { durable: true, ...options }));
  }
}

async function assertQueues(channel: Channel, plan: TopologyPlan): Promise<void> {
  for (const queue of plan.queues)
    await orDiffers(
      queue.name,
      channel.assertQueue(queue.name, { durable: true, arguments: { ...queue.arguments } }),
    );
}

/** Arguments are identity: the broker answers 406 to others and closes the channel. */
async function orDiffers(name: string, asserted: Promise<unknown>): Promise<void> {
  try {
    await asserted;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 406) throw error;
    throw new TopologyError(
      'TOPOLOGY_DIFFERS',
      [
        {
          code: 'ARGUMENTS_DIFFER',
          culprit: name,
          remedy: `it exists with other arguments (${(error as Error).message}); use another virtual host for another profile, or drain and delete it`,
        },
      ],
      { cause: error },
    );
  }
}

function refuseVersion(version: string): void {
  const isTooOld = compareVersions(version, '3.10.0') < 0;
  const isBroken =
    compareVersions(version, '3.13.0') >= 0 && compareVersions(version, '3.13.2') <= 0;
  if (!isTooOld && !isBroken) return;
  const reason = isTooOld
    ? 'quorum queues dead-letter at least once only from 3.10 on'
    : 'x-death is broken in 3.13.0 to 3.13.2 (rabbitmq-server 11159, 11331)';
  throw new TopologyError('BROKER_REFUSED', [
    { code: 'VERSION_REFUSED', culprit: version, remedy: `${reason}; use 4.x or 3.13.7` },
  ]);
}

/** amqplib keeps what the broker said of itself at the handshake, but does not type it. */
function brokerVersion(model: ChannelModel): string {
  const { serverProperties } = model.connection as unknown as {
    serverProperties: { version?: string };
  };
  return serverProperties.version ?? '0.0.0';
}

/** @returns the plain virtual host of an AMQP URL; no path means '/'. */
export function vhostOf(amqpUrl: string): string {
  const path = new URL(amqpUrl).pathname.slice(1);
  return path === '' ? '/' : decodeURIComponent(path);
}
