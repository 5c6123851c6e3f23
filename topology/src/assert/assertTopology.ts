/** Makes a broker equal to the plan. It only adds what is missing, so any number of processes may run it at any time. */
import { type BrokerConnection, brokerVersion, vhostOf } from '../amqp/connection.ts';
import { declareObjects } from '../amqp/declareObjects.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import type { Fault } from '../errors.ts';
import { applyPolicies } from '../management/applyPolicies.ts';
import { ManagementApi } from '../management/managementApi.ts';
import { probeBroker, refuseVersion } from '../management/probeBroker.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
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
  connection: BrokerConnection,
  declaration: Declaration,
  options: AssertOptions,
): Promise<TopologyPlan> {
  const version = brokerVersion(connection);
  refuseVersion(version);
  const { amqpUrl, managementUrl, assert = 'create', onWarning = warnOnce } = options;
  const plan = provedPlan(declaration, { version, hasManagement: managementUrl !== undefined });
  if (assert === 'never') return plan;
  const api =
    managementUrl === undefined ? undefined : new ManagementApi(managementUrl, vhostOf(amqpUrl));
  const { warnings, skippedChecks } = await probeBroker(plan, api);
  for (const warning of [...warnings, ...skipped(skippedChecks)]) onWarning(warning);
  if (assert === 'check') {
    await checkTopology(connection, plan, { api, onWarning });
    return plan;
  }
  // Policies come first, so that no queue is without its limit at any time.
  if (api !== undefined) await applyPolicies(api, plan.policies);
  await declareObjects(connection, plan);
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
