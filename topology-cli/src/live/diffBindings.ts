/** Bindings: those that are missing, and those that double or misroute. */

import type { TopologyPlan } from '@fit/topology';
import { returnExchange } from '@fit/topology';
import {
  bindingText,
  formerWaitQueues,
  type LiveBinding,
  type LiveTopology,
  privateExchanges,
  tierChangeExchange,
  wantedBindings,
} from '@fit/topology/management';
import type { Difference, DifferenceFix } from './difference.ts';

export function diffBindings(plan: TopologyPlan, live: LiveTopology): Difference[] {
  const found = new Set(live.bindings.map(bindingText));
  const missing = wantedBindings(plan, live).filter((one) => !found.has(bindingText(one)));
  return [
    ...missing.map(
      (one): Difference => ({
        code: 'BINDING_MISSING',
        subject: bindingText(one),
        remedy: 'bind it: topology apply',
        fixedBy: 'apply',
      }),
    ),
    ...extraBindings(plan, live).map(({ binding, fixedBy }) => extra(plan, binding, fixedBy)),
  ];
}

export interface ExtraBinding {
  readonly binding: LiveBinding;
  readonly fixedBy: DifferenceFix;
}

/** @returns bindings at our exchanges or queues that are not wanted there; those of a left switch are told with it. */
export function extraBindings(plan: TopologyPlan, live: LiveTopology): ExtraBinding[] {
  const wanted = new Set(wantedBindings(plan, live).map(bindingText));
  const switches = new Set(plan.kinds.map(({ queue }) => tierChangeExchange(queue)));
  const ours = ownNames(plan, live);
  return live.bindings
    .filter((one) => !wanted.has(bindingText(one)))
    .filter((one) => !switches.has(one.source) && !switches.has(one.destination))
    .flatMap((binding) => {
      const isSource = ours.exchanges.has(binding.source);
      const isTarget = (binding.destinationType === 'queue' ? ours.queues : ours.exchanges).has(
        binding.destination,
      );
      if (!isSource && !isTarget) return [];
      // Others may listen to the public exchange, and publishers rely on exchanges that are not ours. Exchanges of the
      // other back end serve a main queue that is still there: without their bindings its messages would be parked.
      const isPlanned = plan.exchanges.some(({ name }) => name === binding.source);
      const isPrivate = privateExchanges(plan).has(binding.source);
      return [{ binding, fixedBy: isPlanned && (isPrivate || isTarget) ? 'apply' : 'hand' }];
    });
}

function ownNames(
  plan: TopologyPlan,
  live: LiveTopology,
): { readonly exchanges: Set<string>; readonly queues: Set<string> } {
  const old = formerWaitQueues(plan, live).map(({ queue }) => queue.name);
  return {
    exchanges: new Set([...plan.exchanges.map(({ name }) => name), ...privateExchanges(plan)]),
    queues: new Set([...plan.queues.map(({ name }) => name), ...old]),
  };
}

function extra(plan: TopologyPlan, binding: LiveBinding, fixedBy: DifferenceFix): Difference {
  const isReturn = plan.kinds.some(({ queue }) => returnExchange(queue) === binding.source);
  const reason = isReturn
    ? 'no wait queue uses its key any more'
    : 'it doubles or misroutes messages';
  const byHand = `not planned; if it is not wanted, unbind it by hand: apply leaves alone what others may rely on`;
  return {
    code: 'BINDING_EXTRA',
    subject: bindingText(binding),
    remedy: fixedBy === 'apply' ? `${reason}; unbind it: topology apply` : byHand,
    fixedBy,
  };
}
