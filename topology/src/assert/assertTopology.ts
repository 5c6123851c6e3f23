/** Plan → broker. Safe to run at any time, by any number of processes: it only adds what is missing. */
import type { ChannelModel } from 'amqplib';
import { brokerVersion } from '../amqp/brokerVersion.ts';
import { declareExchange, declareQueue } from '../amqp/declareObject.ts';
import { vhostOf } from '../amqp/openSession.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import type { Fault } from '../errors.ts';
import { applyPolicies } from '../management/applyPolicies.ts';
import { ManagementApi } from '../management/managementApi.ts';
import { probeBroker, refuseVersion } from '../management/probeBroker.ts';
import { planTopology } from '../plan/planTopology.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { provePlan } from '../proof/provePlan.ts';

/** The broker that a topology is asserted on. */
export interface AssertOptions {
  readonly amqpUrl: string;
  /**
   * Present: limits are policies, which can be changed at any time. Absent: they are arguments of the queues, which only a
   * migration can change. All processes of a broker must have it or none: `TOPOLOGY_DIFFERS` otherwise.
   */
  readonly managementUrl: string | undefined;
  /**
   * Told of each policy of others that reaches our queues, and of checks that need the management API where there is
   * none. Default: a warning of the process, each once.
   */
  readonly onWarning?: (warning: Fault) => void;
}

/**
 * Plans for this broker's version, proves the plan, probes the broker, then asserts policies, exchanges, queues,
 * bindings in that order.
 * @throws TopologyError `BROKER_REFUSED` (version, feature flag, somebody's drop-head), `PLAN_REFUSED`,
 * `TOPOLOGY_DIFFERS` (an object with other arguments is there, or an old ladder is in service), `POLICY_FAILED`.
 */
export async function assertTopology(
  model: ChannelModel,
  declaration: Declaration,
  options: AssertOptions,
): Promise<TopologyPlan> {
  const version = brokerVersion(model);
  refuseVersion(version);
  const { amqpUrl, managementUrl, onWarning = warnOnce } = options;
  const plan = planTopology(declaration, { version, hasManagement: managementUrl !== undefined });
  provePlan(declaration, plan);
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  const { warnings, skippedChecks } = await probeBroker(plan, api);
  for (const warning of [...warnings, ...skipped(skippedChecks)]) onWarning(warning);
  // Policies first: no queue is ever without its limit.
  if (api !== undefined) await applyPolicies(api, plan.policies);
  await declareObjects(model, plan);
  return plan;
}

/** Exchanges, queues, then bindings; what is there already stays as it is. @throws TopologyError `TOPOLOGY_DIFFERS`. */
export async function declareObjects(
  model: ChannelModel,
  { exchanges, queues, bindings }: Pick<TopologyPlan, 'exchanges' | 'queues' | 'bindings'>,
): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  for (const exchange of exchanges) await declareExchange(channel, exchange);
  for (const queue of queues) await declareQueue(channel, queue);
  for (const { queue, exchange, key, arguments: headers } of bindings)
    await channel.bindQueue(queue, exchange, key, headers);
  await channel.close();
}

function skipped(checks: readonly string[]): Fault[] {
  if (checks.length === 0) return [];
  const remedy = `not looked at, for want of a management URL: ${checks.join('; ')}`;
  return [{ code: 'CHECKS_SKIPPED', subject: 'management API', remedy }];
}

const told = new Set<string>();

/** A warning of the process, which Node prints: once, though every reconnection asks again. */
function warnOnce({ code, subject, remedy }: Fault): void {
  const text = `${subject}: ${remedy}`;
  if (told.has(text)) return;
  told.add(text);
  process.emitWarning(text, { type: 'TopologyWarning', code });
}
