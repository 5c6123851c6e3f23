/** Plan and live → everything in which they differ. Pure; in the order in which it is mended. */
import type { TopologyPlan } from '@fit/topology';
import type { LiveTopology } from '@fit/topology/management';
import { diffBindings } from './diffBindings.ts';
import { diffExchanges } from './diffExchanges.ts';
import type { Difference } from './difference.ts';
import { diffPolicies } from './diffPolicies.ts';
import { diffQueues } from './diffQueues.ts';

/** @returns empty where the virtual host holds the plan exactly; what is none of the plan's business is left alone. */
export function diffTopology(plan: TopologyPlan, live: LiveTopology): Difference[] {
  return [
    ...diffPolicies(plan, live),
    ...diffExchanges(plan, live),
    ...diffQueues(plan, live),
    ...diffBindings(plan, live),
  ];
}
