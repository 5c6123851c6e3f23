/** Makes a virtual host equal to a plan, step by step. Killed at any step, it can be run again. */
import { type Declaration, planTopology, provePlan, type TopologyPlan } from '@fit/topology';
import type { TopologyAdmin } from '@fit/topology/amqp';
import { type ManagementApi, putPolicy, readLive, refuseVersion } from '@fit/topology/management';
import { diffTopology, type TopologyDifference } from './diffTopology.ts';
import { type ApplyStep, planSteps } from './planSteps.ts';

/** `admin` and `api` must belong to the same virtual host. */
export interface ApplyOptions {
  readonly admin: TopologyAdmin;
  readonly api: ManagementApi;
  readonly declaration: Declaration;
  /** See `planFor`; default true. */
  readonly hasManagement?: boolean;
  /** Called before each step; what it throws ends the run there. */
  readonly onStep?: (step: ApplyStep, index: number, count: number) => void | Promise<void>;
}

export interface ApplyReport {
  /** Steps that were done; empty if nothing was to do. */
  readonly steps: readonly ApplyStep[];
  /** Differences that are left for `topology drain` or for an operator. */
  readonly remaining: readonly TopologyDifference[];
}

/**
 * Queues are only added, never changed or deleted.
 * @throws TopologyError `BROKER_REFUSED`, `PLAN_REFUSED`, `POLICY_FAILED`; Error if the connection is lost.
 */
export async function applyTopology(options: ApplyOptions): Promise<ApplyReport> {
  const { admin, api, declaration, hasManagement = true, onStep } = options;
  const plan = planFor(declaration, admin.version, hasManagement);
  const steps = planSteps(plan, await readLive(api));
  for (const [index, step] of steps.entries()) {
    await onStep?.(step, index, steps.length);
    await performApplyStep(step, admin, api);
  }
  return { steps, remaining: diffTopology(plan, await readLive(api)) };
}

/**
 * @param hasManagement false: as processes without `managementUrl` plan, so that limits are arguments and not policies.
 * @returns the proved plan. @throws TopologyError `BROKER_REFUSED`, `PLAN_REFUSED`.
 */
export function planFor(
  declaration: Declaration,
  version: string,
  hasManagement = true,
): TopologyPlan {
  refuseVersion(version);
  const plan = planTopology(declaration, { version, hasManagement });
  provePlan(declaration, plan);
  return plan;
}

function performApplyStep(
  step: ApplyStep,
  admin: TopologyAdmin,
  api: ManagementApi,
): Promise<unknown> {
  switch (step.type) {
    case 'putPolicy':
      return putPolicy(api, step.policy);
    case 'declareExchange':
      return admin.declareExchange(step.exchange);
    case 'declareQueue':
      return admin.declareQueue(step.queue);
    case 'declareNotes':
      return admin.declareNotes(step.notes);
    case 'bind':
      return admin.bind(step.binding);
    case 'unbind':
      return admin.unbind(step.binding);
    case 'deleteExchange':
      return admin.deleteExchange(step.name);
  }
}
