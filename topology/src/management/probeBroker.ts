/** Before anything is declared: can this broker carry the plan, as it is set up by others? */
import { type Fault, fault, TopologyError } from '../errors.ts';
import { compareVersions } from '../plan/brokerProfile.ts';
import { retryExchange } from '../plan/names.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { findForeignPolicies } from './foreignPolicies.ts';
import type { LiveBinding, LivePolicy } from './liveTopology.ts';
import type { ManagementApi } from './managementApi.ts';
import { asLive, isSameBinding } from './ownedObjects.ts';
import { readBindings, readPolicies } from './readLiveTopology.ts';

/** What nobody sees without the management API. */
export const MANAGEMENT_CHECKS = [
  'feature flag stream_queue (at-least-once dead-lettering needs it)',
  'policies and operator policies of others',
  'bindings of an old ladder',
] as const;

/** What a probe found that does not keep a process from starting. */
export interface ProbeReport {
  /** Policies of others that reach our queues. */
  readonly warnings: readonly Fault[];
  readonly skippedChecks: readonly string[];
}

/**
 * Four requests at once; nothing is changed.
 * @param api undefined where there is no management API.
 * @throws TopologyError `BROKER_REFUSED` (feature flag, drop-head), `TOPOLOGY_DIFFERS` (an old ladder, which would
 * double rejected messages); Error where the API does not answer yet.
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
  const old = oldLadderFaults(plan, bindings);
  if (old.length > 0) throw new TopologyError('TOPOLOGY_DIFFERS', old);
  const warnings = findForeignPolicies(plan, { ...policies, queues: [] }).map(
    ({ policy, queue, isOperator, effect }) =>
      fault(
        isOperator ? 'POLICY_OPERATOR' : 'POLICY_FOREIGN',
        `${policy.name} on ${queue}`,
        `${effect}; topology diff tells more`,
      ),
  );
  return { warnings, skippedChecks: [] };
}

/** @throws TopologyError `BROKER_REFUSED` */
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
  /** 'enabled' also where the flag is required. */
  readonly state: string;
}

/** From 4.0 on the flag is required, and may one day be gone: only one that is there and off counts. */
export function flagFaults(plan: TopologyPlan, flags: readonly FeatureFlag[]): Fault[] {
  const needsIt = plan.queues.some(isAtLeastOnce);
  const flag = flags.find(({ name }) => name === 'stream_queue');
  if (!needsIt || flag === undefined || flag.state === 'enabled') return [];
  const remedy =
    'at-least-once dead-lettering needs it: rabbitmqctl enable_feature_flag stream_queue';
  return [fault('FEATURE_FLAG_OFF', flag.name, remedy)];
}

/** Under drop-head at-least-once is silently off, and a full queue loses its oldest (RabbitMQ, quorum queues). */
function overflowFaults(
  plan: TopologyPlan,
  policies: { policies: readonly LivePolicy[]; operatorPolicies: readonly LivePolicy[] },
): Fault[] {
  const safe = new Set(plan.queues.filter(isAtLeastOnce).map(({ name }) => name));
  return findForeignPolicies(plan, { ...policies, queues: [] })
    .filter(({ queue, policy }) => safe.has(queue) && policy.definition['overflow'] === 'drop-head')
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

/** To bind a key to its new wait queue beside the old one would double every rejected message of that key. */
function oldLadderFaults(plan: TopologyPlan, bindings: readonly LiveBinding[]): Fault[] {
  const planned = plan.bindings.map(asLive);
  return plan.kinds.flatMap(({ queue }) => {
    const rungs = planned.filter(({ source }) => source === retryExchange(queue));
    return bindings
      .filter(({ source, key }) => rungs.some((one) => one.source === source && one.key === key))
      .filter((one) => !rungs.some((rung) => isSameBinding(one, rung)))
      .map(({ source, key, destination }) =>
        fault(
          'OTHER_TIERS_IN_SERVICE',
          `${source} [${key}] -> ${destination}`,
          'other tiers are in service, and both at once would double what is rejected: npm run topology -- apply',
        ),
      );
  });
}
