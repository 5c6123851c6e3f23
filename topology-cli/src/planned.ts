/** The plan that the drawing commands show: for the broker that is named, without asking one. */

import type { TopologyPlan } from '@fit/topology';
import { compareVersions, planTopology, provePlan } from '@fit/topology';
import { type Context, textOf, UsageError } from './command.ts';

const DEFAULT_VERSION = '4.3.6';

/** Of every drawing command. */
export const PLAN_OPTIONS = { 'broker-version': { type: 'string' } } as const;

/** Under its usage. */
export const PLAN_USAGE = `  --broker-version V     RabbitMQ to plan for (default ${DEFAULT_VERSION}); no broker is asked`;

/**
 * With limits as policies, as where the management API is at hand.
 * @throws UsageError for a version that is none; TopologyError `PLAN_REFUSED`.
 */
export function planned(context: Context): TopologyPlan {
  const version = textOf(context, 'broker-version') ?? DEFAULT_VERSION;
  if (!/^\d+\.\d+\.\d+$/.test(version) || compareVersions(version, '3.10.0') < 0)
    throw new UsageError(`--broker-version '${version}' must be 3.10.0 or newer, such as 4.3.6`);
  const plan = planTopology(context.declaration, { version, hasManagement: true });
  provePlan(context.declaration, plan);
  return plan;
}
