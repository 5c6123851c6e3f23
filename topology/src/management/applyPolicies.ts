/** The planned policies, and nothing else: what every start makes sure of. */
import { TopologyError } from '../errors.ts';
import type { PolicyPlan } from '../plan/topologyPlan.ts';
import { canonicalText, type LivePolicy } from './liveTopology.ts';
import type { ManagementApi } from './managementApi.ts';
import { readPolicies } from './readLiveTopology.ts';

/** How our policies are put. Not 'quorum_queues': brokers before 3.12 do not know it, and the patterns name single queues. */
export function policyBody({ pattern, definition }: PolicyPlan): object {
  return { pattern, definition, 'apply-to': 'queues', priority: 0 };
}

/** @returns true where the live policy is the planned one in every respect. */
export function isSamePolicy(planned: PolicyPlan, live: LivePolicy): boolean {
  const { pattern, definition, applyTo, priority } = live;
  return (
    canonicalText(policyBody(planned)) ===
    canonicalText({ pattern, definition, 'apply-to': applyTo, priority })
  );
}

/** Puts each policy that is missing or differs. @throws as `putPolicy`; Error where the API does not answer yet. */
export async function applyPolicies(
  api: ManagementApi,
  policies: readonly PolicyPlan[],
): Promise<void> {
  const live = (await readPolicies(api)).policies;
  for (const policy of policies) {
    const found = live.find(({ name }) => name === policy.name);
    if (found === undefined || !isSamePolicy(policy, found)) await putPolicy(api, policy);
  }
}

/** @throws TopologyError `POLICY_FAILED` naming the policy and the broker's answer. */
export async function putPolicy(api: ManagementApi, policy: PolicyPlan): Promise<void> {
  const refusal = await api.put(['policies', api.vhost, policy.name], policyBody(policy));
  if (refusal === undefined) return;
  const remedy = `the broker answered ${refusal}; the user needs the policymaker tag`;
  throw new TopologyError('POLICY_FAILED', [
    { code: 'POLICY_REFUSED', subject: policy.name, remedy },
  ]);
}
