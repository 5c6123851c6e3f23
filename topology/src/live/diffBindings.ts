/** Bindings: those that are missing, and those that double or misroute. */
import { returnExchange } from '../plan/names.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import type { Difference, Mender } from './difference.ts';
import { type Live, type LiveBinding, spellBinding } from './live.ts';
import { oldQueues, privateExchanges, switchExchange, wantedBindings } from './ours.ts';

export function diffBindings(plan: TopologyPlan, live: Live): Difference[] {
  const found = new Set(live.bindings.map(spellBinding));
  const missing = wantedBindings(plan, live).filter((one) => !found.has(spellBinding(one)));
  return [
    ...missing.map(
      (one): Difference => ({
        code: 'BINDING_MISSING',
        culprit: spellBinding(one),
        remedy: 'bind it: topology apply',
        mends: 'apply',
      }),
    ),
    ...extraBindings(plan, live).map(({ binding, mends }) => extra(plan, binding, mends)),
  ];
}

export interface ExtraBinding {
  readonly binding: LiveBinding;
  readonly mends: Mender;
}

/** @returns bindings at our exchanges or queues that are not wanted there; those of a left switch are told with it. */
export function extraBindings(plan: TopologyPlan, live: Live): ExtraBinding[] {
  const wanted = new Set(wantedBindings(plan, live).map(spellBinding));
  const switches = new Set(plan.kinds.map(({ queue }) => switchExchange(queue)));
  const ours = ownNames(plan, live);
  return live.bindings
    .filter((one) => !wanted.has(spellBinding(one)))
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
      return [{ binding, mends: isPlanned && (isPrivate || isTarget) ? 'apply' : 'hand' }];
    });
}

function ownNames(
  plan: TopologyPlan,
  live: Live,
): { readonly exchanges: Set<string>; readonly queues: Set<string> } {
  const old = oldQueues(plan, live).map(({ queue }) => queue.name);
  return {
    exchanges: new Set([...plan.exchanges.map(({ name }) => name), ...privateExchanges(plan)]),
    queues: new Set([...plan.queues.map(({ name }) => name), ...old]),
  };
}

function extra(plan: TopologyPlan, binding: LiveBinding, mends: Mender): Difference {
  const isReturn = plan.kinds.some(({ queue }) => returnExchange(queue) === binding.source);
  const reason = isReturn
    ? 'no wait queue uses its key any more'
    : 'it doubles or misroutes messages';
  const byHand = `not planned; if it is not wanted, unbind it by hand: apply leaves alone what others may rely on`;
  return {
    code: 'BINDING_EXTRA',
    culprit: spellBinding(binding),
    remedy: mends === 'apply' ? `${reason}; unbind it: topology apply` : byHand,
    mends,
  };
}
