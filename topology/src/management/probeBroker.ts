/** Checks before anything is declared: whether this broker, as it is configured by others, can carry the plan. */
import { type Fault, fault, TopologyError } from '../errors.ts';
import { compareVersions } from '../plan/brokerProfile.ts';
import { retryExchanges } from '../plan/names.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { findForeignPolicies } from './foreignPolicies.ts';
import { type LiveBinding, type LivePolicy, readBindings, readPolicies } from './liveTopology.ts';
import type { ManagementApi } from './managementApi.ts';
import { asLive, isSameBinding } from './ownedObjects.ts';

/** Checks that need the management API. */
export const MANAGEMENT_CHECKS = [
  'feature flag stream_queue (at-least-once dead-lettering needs it)',
  'policies and operator policies of others',
  'bindings of other retry tiers',
] as const;

/** Findings that do not keep a process from starting. */
export interface ProbeReport {
  /** Foreign policies. */
  readonly warnings: readonly Fault[];
  /** Checks that were skipped because there is no management API, as text for people. */
  readonly skippedChecks: readonly string[];
}

/**
 * Sends four requests at once, and changes nothing.
 * @param api undefined if there is no management API.
 * @throws TopologyError `BROKER_REFUSED` (feature flag, drop-head), `TOPOLOGY_DIFFERS` (other tiers are in service, which
 * would duplicate rejected messages); Error if the API does not answer yet.
 */
export async function probeBroker(
  plan: TopologyPlan,
  api: ManagementApi | undefined,
): Promise<ProbeReport> {
  if (api === undefined) return { warnings: [], skippedChecks: MANAGEMENT_CHECKS };
  const [flags, policies, bindings] = await Promise.all([
    api.get(['feature-flags']),
    readPolicies(api),
    readBindings(api),
  ]);
  const refusals = [
    ...flagFaults(plan, flags as readonly FeatureFlag[]),
    ...overflowFaults(plan, policies),
  ];
  if (refusals.length > 0) throw new TopologyError('BROKER_REFUSED', refusals);
  const otherTiers = otherTierFaults(plan, bindings);
  if (otherTiers.length > 0) throw new TopologyError('TOPOLOGY_DIFFERS', otherTiers);
  const warnings = findForeignPolicies(plan, { ...policies, queues: [] }).map(
    ({ policy, queue, isOperator, effect }) =>
      fault(
        isOperator ? 'POLICY_OPERATOR' : 'POLICY_FOREIGN',
        `${policy.name} on ${queue}`,
        `${effect}; topology diff shows more`,
      ),
  );
  return { warnings, skippedChecks: [] };
}

/** @throws TopologyError `BROKER_REFUSED` if this version of RabbitMQ is not supported. */
export function refuseVersion(version: string): void {
  const isTooOld = compareVersions(version, '3.10.0') < 0;
  const isBroken =
    compareVersions(version, '3.13.0') >= 0 && compareVersions(version, '3.13.2') <= 0;
  if (!isTooOld && !isBroken) return;
  const reason = isTooOld
    ? 'quorum queues dead-letter at least once only from 3.10 on'
    : 'x-death is broken in 3.13.0 to 3.13.2 (rabbitmq-server 11159, 11331)';
  throw new TopologyError('BROKER_REFUSED', [
    fault('VERSION_REFUSED', version, `${reason}; use 4.x or 3.13.7`),
  ]);
}

interface FeatureFlag {
  readonly name: string;
  /** 'enabled' also for a required flag. */
  readonly state: string;
}

/** From 4.0 on the flag is required and may be removed one day, so only a flag that exists and is off is a fault. */
export function flagFaults(plan: TopologyPlan, flags: readonly FeatureFlag[]): Fault[] {
  const needsIt = plan.queues.some(isAtLeastOnce);
  const flag = flags.find(({ name }) => name === 'stream_queue');
  if (!needsIt || flag === undefined || flag.state === 'enabled') return [];
  const remedy =
    'at-least-once dead-lettering needs it: rabbitmqctl enable_feature_flag stream_queue';
  return [fault('FEATURE_FLAG_OFF', flag.name, remedy)];
}

/**
 * With drop-head the broker silently ignores at-least-once, and a full queue loses its oldest message (RabbitMQ, quorum
 * queues).
 */
function overflowFaults(
  plan: TopologyPlan,
  policies: { policies: readonly LivePolicy[]; operatorPolicies: readonly LivePolicy[] },
): Fault[] {
  const atLeastOnce = new Set(plan.queues.filter(isAtLeastOnce).map(({ name }) => name));
  return findForeignPolicies(plan, { ...policies, queues: [] })
    .filter(
      ({ queue, policy }) =>
        atLeastOnce.has(queue) && policy.definition['overflow'] === 'drop-head',
    )
    .map(({ queue, policy }) =>
      fault(
        'OVERFLOW_UNSAFE',
        `${policy.name} on ${queue}`,
        "it sets overflow drop-head, under which messages are lost: remove it from the policy, or declare unsafe: ['drop-head']",
      ),
    );
}

function isAtLeastOnce({ arguments: settings }: TopologyPlan['queues'][number]): boolean {
  return settings['x-dead-letter-strategy'] === 'at-least-once';
}

/** A key that is bound to wait queues of two tiers would duplicate every rejected message. */
function otherTierFaults(plan: TopologyPlan, bindings: readonly LiveBinding[]): Fault[] {
  const planned = plan.bindings.map(asLive);
  return plan.kinds.flatMap(({ queue }) => {
    const retryBindings = planned.filter(({ source }) => retryExchanges(queue).includes(source));
    return bindings
      .filter(({ source, key }) =>
        retryBindings.some((one) => one.source === source && one.key === key),
      )
      .filter((one) => !retryBindings.some((other) => isSameBinding(one, other)))
      .map(({ source, key, destination }) =>
        fault(
          'OTHER_TIERS_IN_SERVICE',
          `${source} [${key}] -> ${destination}`,
          'other tiers are in service, and both at once would duplicate rejected messages: topology apply',
        ),
      );
  });
}
