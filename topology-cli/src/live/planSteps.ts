/** Plan and live → what `apply` does, in order. Pure: planned anew after a kill, the steps lead to the same end. */
import type { TopologyPlan } from '@fit/topology';
import {
  bindingText,
  type LiveBinding,
  type LiveTopology,
  publicExchange,
  wantedBindings,
} from '@fit/topology/management';
import { extraBindings } from './diffBindings.ts';
import type { Difference, DifferenceCode } from './difference.ts';
import { diffTopology } from './diffTopology.ts';
import { bind, type Step, unbind } from './step.ts';
import { isLadderBinding, ladderSteps } from './tierChangeSteps.ts';

/**
 * Policies come first, so that no queue is ever without its limit; the public binding comes last, so that nothing is
 * accepted before every path behind it exists; and extra bindings go when what replaces them is there.
 * @returns empty where nothing is left that `apply` may mend.
 */
export function planSteps(plan: TopologyPlan, live: LiveTopology): Step[] {
  const differences = diffTopology(plan, live);
  const bound = new Set(live.bindings.map(bindingText));
  const missing = wantedBindings(plan, live).filter((one) => !bound.has(bindingText(one)));
  const isPublic = ({ source }: LiveBinding) => source === publicExchange(plan);
  const isLadder = (one: LiveBinding) => isLadderBinding(plan, one);
  const extra = extraBindings(plan, live)
    .filter(({ fixedBy }) => fixedBy === 'apply')
    .map(({ binding }) => binding);
  return [
    ...plan.policies
      .filter(({ name }) => isToldOf(differences, ['POLICY_MISSING', 'POLICY_DIFFERS'], name))
      .map((policy): Step => ({ type: 'putPolicy', policy })),
    ...plan.exchanges
      .filter(({ name }) => isToldOf(differences, ['EXCHANGE_MISSING'], name))
      .map((exchange): Step => ({ type: 'declareExchange', exchange })),
    ...plan.queues
      .filter(({ name }) => isToldOf(differences, ['QUEUE_MISSING'], name))
      .map((queue): Step => ({ type: 'declareQueue', queue })),
    ...missing.filter((one) => !isPublic(one) && !isLadder(one)).map(bind),
    ...plan.kinds.flatMap(({ queue }) => ladderSteps(plan, live, { queue, missing, extra })),
    ...extra.filter((one) => !isLadder(one)).map(unbind),
    ...missing.filter(isPublic).map(bind),
  ];
}

function isToldOf(
  differences: readonly Difference[],
  codes: readonly DifferenceCode[],
  subject: string,
): boolean {
  return differences.some((one) => codes.includes(one.code) && one.subject === subject);
}
