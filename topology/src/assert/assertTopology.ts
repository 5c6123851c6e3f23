/** Makes a broker equal to the plan. It only adds what is missing, so any number of processes may run it at any time. */
import type { ChannelModel } from 'amqplib';
import { brokerVersion, vhostOf } from '../amqp/connection.ts';
import { declareExchange, declareNotes, declareQueue, orDiffers } from '../amqp/topologyAdmin.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import type { Fault } from '../errors.ts';
import { applyPolicies } from '../management/applyPolicies.ts';
import { ManagementApi } from '../management/managementApi.ts';
import { probeBroker, refuseVersion } from '../management/probeBroker.ts';
import { planTopology } from '../plan/planTopology.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
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
  const plan = planTopology(declaration, { version, hasManagement: managementUrl !== undefined });
  provePlan(declaration, plan);
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

/** Declares exchanges, queues, notes, then bindings; existing objects stay as they are. @throws TopologyError `TOPOLOGY_DIFFERS`. */
export async function declareObjects(
  model: ChannelModel,
  plan: Pick<TopologyPlan, 'exchanges' | 'queues' | 'bindings' | 'notes'>,
): Promise<void> {
  const { exchanges, queues, bindings, notes } = plan;
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  for (const exchange of exchanges) await declareExchange(channel, exchange);
  for (const queue of queues) await declareQueue(channel, queue);
  for (const one of notes) await declareNotes(channel, one);
  for (const { queue, exchange, key, arguments: headers } of bindings)
    await orDiffers(queue, channel.bindQueue(queue, exchange, key, headers));
  await channel.close();
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
