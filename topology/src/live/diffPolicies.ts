/** Policies: ours, and those of others that reach our queues. */
import type { PolicyPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import type { Difference } from './difference.ts';
import { type ForeignPolicy, findForeign } from './findForeign.ts';
import { type Live, type LivePolicy, spell } from './live.ts';

/** How our policies are put. Not 'quorum_queues': brokers before 3.12 do not know it, and the patterns name single queues. */
export function policyBody({ pattern, definition }: PolicyPlan): object {
  return { pattern, definition, 'apply-to': 'queues', priority: 0 };
}

/** @returns true where the live policy is the planned one in every respect. */
export function isSamePolicy(planned: PolicyPlan, live: LivePolicy): boolean {
  const { pattern, definition, applyTo, priority } = live;
  return (
    spell(policyBody(planned)) === spell({ pattern, definition, 'apply-to': applyTo, priority })
  );
}

export function diffPolicies(plan: TopologyPlan, live: Live): Difference[] {
  const own = plan.policies.flatMap((planned): Difference[] => {
    const found = live.policies.find(({ name }) => name === planned.name);
    if (found !== undefined && isSamePolicy(planned, found)) return [];
    return [
      {
        code: found === undefined ? 'POLICY_MISSING' : 'POLICY_DIFFERS',
        culprit: planned.name,
        planned: policyBody(planned),
        ...(found === undefined ? {} : { live: found }),
        remedy: 'put it: topology apply',
        mends: 'apply',
      },
    ];
  });
  return [...own, ...findForeign(plan, live).map(foreign)];
}

function foreign({ policy, queue, isOperator, reason }: ForeignPolicy): Difference {
  const command = isOperator ? 'clear_operator_policy' : 'clear_policy';
  return {
    code: isOperator ? 'POLICY_OPERATOR' : 'POLICY_FOREIGN',
    culprit: `${policy.name} on ${queue}`,
    live: { pattern: policy.pattern, definition: policy.definition, priority: policy.priority },
    remedy: `${reason}; narrow its pattern, or remove it: rabbitmqctl ${command} -p VHOST ${policy.name}`,
    mends: 'hand',
  };
}
