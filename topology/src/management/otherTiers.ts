/** Other tiers that were applied while a process with its own tiers runs. Its plan is then without what they replace. Pure. */
import { retryExchange, returnExchange } from '../plan/names.ts';
import type { BindingPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { bindingText, type LiveTopology } from './liveTopology.ts';
import { asLive, formerWaitQueues } from './ownedObjects.ts';

/** @returns true for a binding that chooses the wait queue: bound beside one of other tiers, it doubles what is rejected. */
export function isChoiceOfTier(plan: Pick<TopologyPlan, 'kinds'>, { exchange }: BindingPlan) {
  return plan.kinds.some(({ queue }) => retryExchange(queue) === exchange);
}

/** Of one virtual host. */
export interface TierReading extends Pick<LiveTopology, 'queues' | 'bindings'> {
  /** Main queues of the kinds whose `.retry.switch` exists: `topology apply` is at work, or was ended in the middle. */
  readonly switchedQueues: readonly string[];
}

/** @returns main queues of the kinds that have other tiers than the plan's, or get them at this moment. */
export function queuesWithOtherTiers(plan: TopologyPlan, reading: TierReading): string[] {
  const planned = new Set(plan.bindings.map((one) => bindingText(asLive(one))));
  const others = new Set([
    ...reading.switchedQueues,
    ...formerWaitQueues(plan, reading).map(({ kind }) => kind.queue),
  ]);
  return plan.kinds
    .map(({ queue }) => queue)
    .filter(
      (queue) =>
        others.has(queue) ||
        reading.bindings.some(
          (one) => one.source === retryExchange(queue) && !planned.has(bindingText(one)),
        ),
    );
}

/**
 * @param queues main queues of the kinds that have other tiers.
 * @returns the plan without their wait queues and without the bindings at `.retry`. The bindings at `.return` by which an
 * existing wait queue gives its messages back stay in it; those that `topology drain` has removed with their queue do not.
 */
export function withoutTiers(
  plan: TopologyPlan,
  queues: readonly string[],
  live: Pick<LiveTopology, 'queues'>,
): TopologyPlan {
  const isOfKind = (kindName: string) =>
    plan.kinds.some(({ kind, queue }) => kind === kindName && queues.includes(queue));
  const isUsed = ({ exchange, key }: BindingPlan) =>
    live.queues.some(
      ({ arguments: settings }) =>
        settings['x-dead-letter-exchange'] === exchange &&
        settings['x-dead-letter-routing-key'] === key,
    );
  return {
    ...plan,
    queues: plan.queues.filter(({ role, kind }) => role !== 'wait' || !isOfKind(kind)),
    bindings: plan.bindings
      .filter(({ exchange }) => !queues.some((queue) => retryExchange(queue) === exchange))
      .filter(
        (one) => !queues.some((queue) => returnExchange(queue) === one.exchange) || isUsed(one),
      ),
  };
}
