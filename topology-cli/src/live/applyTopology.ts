/** Brings a virtual host to a plan, step by step; safe to run again after a kill at any of them. */
import type { Declaration, TopologyPlan } from '@fit/topology';
import { planTopology, provePlan } from '@fit/topology';
import type { TopologyAdmin } from '@fit/topology/amqp';
import type { ManagementApi } from '@fit/topology/management';
import { putPolicy, readLive, refuseVersion } from '@fit/topology/management';
import type { Difference } from './difference.ts';
import { diffTopology } from './diffTopology.ts';
import { planSteps } from './planSteps.ts';
import type { Step } from './step.ts';

/** What `applyTopology` works with; hand and API must be of the same virtual host. */
export interface ApplyOptions {
  readonly hand: TopologyAdmin;
  readonly api: ManagementApi;
  readonly declaration: Declaration;
  /** Before each step; what it throws ends the run there. */
  readonly onStep?: (step: Step, index: number, count: number) => void | Promise<void>;
}

/** What `applyTopology` did, and what it could not do. */
export interface ApplyReport {
  /** What was done; empty where there was nothing to do. */
  readonly steps: readonly Step[];
  /** What is left for `drain` or for a person. */
  readonly remaining: readonly Difference[];
}

/**
 * Queues are only ever added, never changed or deleted.
 * @throws TopologyError `BROKER_REFUSED`, `PLAN_REFUSED`, `POLICY_FAILED`; Error where the broker goes away.
 */
export async function applyTopology(options: ApplyOptions): Promise<ApplyReport> {
  const { hand, api, declaration, onStep } = options;
  const plan = planFor(declaration, hand.version);
  const steps = planSteps(plan, await readLive(api));
  for (const [index, step] of steps.entries()) {
    await onStep?.(step, index, steps.length);
    await carryOut(step, hand, api);
  }
  return { steps, remaining: diffTopology(plan, await readLive(api)) };
}

/** @returns the proven plan for a broker with a management API. @throws TopologyError */
export function planFor(declaration: Declaration, version: string): TopologyPlan {
  refuseVersion(version);
  const plan = planTopology(declaration, { version, hasManagement: true });
  provePlan(declaration, plan);
  return plan;
}

function carryOut(step: Step, hand: TopologyAdmin, api: ManagementApi): Promise<unknown> {
  switch (step.type) {
    case 'putPolicy':
      return putPolicy(api, step.policy);
    case 'declareExchange':
      return hand.declareExchange(step.exchange);
    case 'declareQueue':
      return hand.declareQueue(step.queue);
    case 'bind':
      return hand.bind(step.binding);
    case 'unbind':
      return hand.unbind(step.binding);
    case 'deleteExchange':
      return hand.deleteExchange(step.name);
  }
}
