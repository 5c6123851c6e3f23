/** What must hold of a plan before a broker sees it. Every finding names its subject and the remedy. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { TopologyError } from '../errors.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { proveDeaths } from './proveDeaths.ts';
import { proveKinds } from './proveKinds.ts';
import { proveLimits } from './proveLimits.ts';
import { proveNames } from './proveNames.ts';
import { proveQueues } from './proveQueues.ts';
import { provePublicKey, proveTiers } from './proveTiers.ts';

/**
 * Walks every path of every kind: public key, each rejection, each expiry, each final reason, unknown keys.
 * @throws TopologyError `PLAN_REFUSED` with all findings; the process stops at start.
 */
export function provePlan(declaration: Declaration, plan: TopologyPlan): void {
  const faults = [
    ...proveNames(declaration, plan),
    ...proveKinds(plan),
    ...plan.kinds.flatMap((kind) => [
      ...provePublicKey(declaration, plan, kind),
      ...proveTiers(plan, kind),
    ]),
    ...proveDeaths(declaration, plan),
    ...proveQueues(plan),
    ...proveLimits(plan),
  ];
  if (faults.length > 0) throw new TopologyError('PLAN_REFUSED', faults);
}
