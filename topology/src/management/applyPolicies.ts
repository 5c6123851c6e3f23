/** Sets the planned policies on the broker. */
import { TopologyError } from '../errors.ts';
import type { PolicyPlan } from '../plan/topologyPlan.ts';
import { canonicalText, type LivePolicy, readPolicies } from './liveTopology.ts';
import type { ManagementApi } from './managementApi.ts';

/** @returns the request body of a policy. `apply-to` is not 'quorum_queues', which brokers before 3.12 do not know. */
export function policyBody({ pattern, definition }: PolicyPlan): object {
  return { pattern, definition, 'apply-to': 'queues', priority: 0 };
}

/** @returns true if the live policy is the planned one in every respect. */
export function isSamePolicy(planned: PolicyPlan, live: LivePolicy): boolean {
  const { pattern, definition, applyTo, priority } = live;
  return (
    canonicalText(policyBody(planned)) ===
    canonicalText({ pattern, definition, 'apply-to': applyTo, priority })
  );
}

/** Sets each policy that is missing or differs. @throws as `putPolicy`; Error if the API does not answer yet. */
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

/** @throws TopologyError `POLICY_FAILED` naming the policy and the broker's response. */
export async function putPolicy(api: ManagementApi, policy: PolicyPlan): Promise<void> {
  const refusal = await api.put(['policies', api.vhost, policy.name], policyBody(policy));
  if (refusal === undefined) return;
  const remedy = `the broker answered ${refusal}; the user needs the policymaker tag`;
  throw new TopologyError('POLICY_FAILED', [
    { code: 'POLICY_REFUSED', subject: policy.name, remedy },
  ]);
}
