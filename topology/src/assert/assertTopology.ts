/** Makes a broker equal to the plan. It only adds what is missing, so any number of processes may run it at any time. */
import type { Channel, ChannelModel } from 'amqplib';
import { brokerVersion, vhostOf } from '../amqp/connection.ts';
import { declareExchange, declareNotes, declareQueue, orDiffers } from '../amqp/topologyAdmin.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import type { Fault } from '../errors.ts';
import { applyPolicies } from '../management/applyPolicies.ts';
import { ManagementApi } from '../management/managementApi.ts';
import { probeBroker, refuseVersion } from '../management/probeBroker.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import { planTopology } from '../plan/planTopology.ts';
import type { BindingPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { provePlan } from '../proof/provePlan.ts';
import { checkTopology } from './checkTopology.ts';

/**
 * create: declares what is missing. check: only looks, and needs no right to configure; it fails on a missing queue or
 * exchange, and with the management API also on a queue with other arguments or a missing binding. never: sends nothing.
 */
export type AssertMode = 'create' | 'check' | 'never';

/** The broker that a topology is asserted on. */
export interface AssertOptions {
  /** AMQP URL with credentials; its path is the virtual host. */
  readonly amqpUrl: string;
  /**
   * URL of the management API with credentials. With it limits are policies, which can be changed at any time; without it they
   * are arguments of the queues, which only new queues can change. Give it to all processes of a broker or to none:
   * `TOPOLOGY_DIFFERS` otherwise.
   */
  readonly managementUrl: string | undefined;
  /** Default `create`. */
  readonly assert?: AssertMode | undefined;
  /**
   * Is called for each foreign policy, and for checks that need the management API if there is none. Default: a warning of
   * the process, each once.
   */
  readonly onWarning?: (warning: Fault) => void;
}

/**
 * Plans for this broker's version, proves the plan, probes the broker, then asserts policies, exchanges, queues,
 * bindings in that order.
 * @throws TopologyError `BROKER_REFUSED` (version, feature flag, somebody's drop-head, no right to declare), `PLAN_REFUSED`,
 * `TOPOLOGY_DIFFERS` (an object exists with other arguments, or other tiers are in service), `POLICY_FAILED`.
 */
export async function assertTopology(
  model: ChannelModel,
  declaration: Declaration,
  options: AssertOptions,
): Promise<TopologyPlan> {
  const version = brokerVersion(model);
  refuseVersion(version);
  const { amqpUrl, managementUrl, assert = 'create', onWarning = warnOnce } = options;
  const plan = provedPlan(declaration, { version, hasManagement: managementUrl !== undefined });
  if (assert === 'never') return plan;
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  const { warnings, skippedChecks } = await probeBroker(plan, api);
  for (const warning of [...warnings, ...skipped(skippedChecks)]) onWarning(warning);
  if (assert === 'check') {
    await checkTopology(model, plan, { api, onWarning });
    return plan;
  }
  // Policies come first, so that no queue is without its limit at any time.
  if (api !== undefined) await applyPolicies(api, plan.policies);
  await declareObjects(model, plan);
  return plan;
}

/** Proofs are the same on every connection to a broker, and take a while where there are many queues. */
const provedPlans = new WeakMap<Declaration, Map<string, TopologyPlan>>();

/** @throws TopologyError `PLAN_REFUSED`. */
function provedPlan(declaration: Declaration, broker: BrokerProfile): TopologyPlan {
  const plans = provedPlans.get(declaration) ?? new Map<string, TopologyPlan>();
  provedPlans.set(declaration, plans);
  const key = `${broker.version} ${broker.hasManagement}`;
  const known = plans.get(key);
  if (known !== undefined) return known;
  const plan = planTopology(declaration, broker);
  provePlan(declaration, plan);
  plans.set(key, plan);
  return plan;
}

/** Channels that declare at the same time: a broker answers the requests of one channel one after the other. */
const CHANNEL_COUNT = 8;

/**
 * Declares exchanges, then queues, notes and bindings; existing objects stay as they are. The bindings of the exchange that is bound
 * last, which is the public one, wait for all others, so that no message arrives before its retries have their ways.
 * @throws TopologyError `TOPOLOGY_DIFFERS`.
 */
export async function declareObjects(
  model: ChannelModel,
  plan: Pick<TopologyPlan, 'exchanges' | 'queues' | 'bindings' | 'notes'>,
): Promise<void> {
  const bind = (channel: Channel, { queue, exchange, key, arguments: headers }: BindingPlan) =>
    orDiffers(queue, channel.bindQueue(queue, exchange, key, headers));
  const lastExchange = plan.bindings.at(-1)?.exchange;
  const most = Math.max(plan.exchanges.length, plan.queues.length, plan.bindings.length);
  const channels = await Promise.all(
    Array.from({ length: Math.min(CHANNEL_COUNT, most) }, async () => {
      const channel = await model.createChannel();
      channel.on('error', () => undefined);
      return channel;
    }),
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

function skipped(checks: readonly string[]): Fault[] {
  if (checks.length === 0) return [];
  const remedy = `not checked, for want of a management URL: ${checks.join('; ')}`;
  return [{ code: 'CHECKS_SKIPPED', subject: 'management API', remedy }];
}

const emittedWarnings = new Set<string>();

/** Emits a warning of the process, which Node prints: once, although every reconnection finds it again. */
function warnOnce({ code, subject, remedy }: Fault): void {
  const text = `${subject}: ${remedy}`;
  if (emittedWarnings.has(text)) return;
  emittedWarnings.add(text);
  process.emitWarning(text, { type: 'TopologyWarning', code });
}
