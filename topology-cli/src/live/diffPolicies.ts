/** Policies: ours, and those of others that reach our queues. */
import type { TopologyPlan } from '@fit/topology';
import {
  type ForeignPolicy,
  findForeignPolicies,
  isSamePolicy,
  type LiveTopology,
  policyBody,
} from '@fit/topology/management';
import type { Difference } from './difference.ts';

export function diffPolicies(plan: TopologyPlan, live: LiveTopology): Difference[] {
  const own = plan.policies.flatMap((planned): Difference[] => {
    const found = live.policies.find(({ name }) => name === planned.name);
    if (found !== undefined && isSamePolicy(planned, found)) return [];
    return [
      {
        code: found === undefined ? 'POLICY_MISSING' : 'POLICY_DIFFERS',
        subject: planned.name,
        planned: policyBody(planned),
        ...(found === undefined ? {} : { live: found }),
        remedy: 'put it: topology apply',
        fixedBy: 'apply',
      },
    ];
  });
  return [...own, ...findForeignPolicies(plan, live).map(foreign)];
}

function foreign({ policy, queue, isOperator, effect }: ForeignPolicy): Difference {
  const command = isOperator ? 'clear_operator_policy' : 'clear_policy';
  return {
    code: isOperator ? 'POLICY_OPERATOR' : 'POLICY_FOREIGN',
    subject: `${policy.name} on ${queue}`,
    live: { pattern: policy.pattern, definition: policy.definition, priority: policy.priority },
    remedy: `${effect}; narrow its pattern, or remove it: rabbitmqctl ${command} -p VHOST ${policy.name}`,
    fixedBy: 'hand',
  };
}
