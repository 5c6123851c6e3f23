/**
 * Other tiers under running workers. `.retry` cannot change key by key in their sight: while a key has its old and its
 * new wait queue, each rejected message goes to both; while it has neither, the alternate exchange parks it too early.
 */

import type { TopologyPlan } from '@fit/topology';
import { parkExchange, retryExchange } from '@fit/topology';
import {
  bindingText,
  type LiveBinding,
  type LiveTopology,
  tierChangeBinding,
  tierChangeExchange,
  wantedBindings,
} from '@fit/topology/management';
import { bind, type Step, unbind } from './step.ts';

export interface LadderChange {
  /** Of the kind. */
  readonly queue: string;
  /** Of the whole plan. */
  readonly missing: readonly LiveBinding[];
  readonly extra: readonly LiveBinding[];
}

/** @returns true where a binding belongs to a ladder, and so may change only as `ladderSteps` says. */
export function isLadderBinding(plan: TopologyPlan, { source }: LiveBinding): boolean {
  return plan.kinds.some(({ queue }) => retryExchange(queue) === source);
}

/**
 * A second exchange with the new ladder takes over by one binding at `.dead-letter`: from that moment on it gets every
 * rejected message, and `.retry`, which is the alternate, gets none, since an alternate exchange only gets what no
 * binding matched. Then `.retry` changes out of sight, and one unbinding puts it into service again.
 *
 * What a worker publishes to `.retry` itself (a wait of its own choice) does not come through `.dead-letter`: between
 * the two steps of its key it is parked, which is a letter to replay, rather than doubled. Hence unbind, then bind.
 */
export function ladderSteps(plan: TopologyPlan, live: LiveTopology, change: LadderChange): Step[] {
  const retry = retryExchange(change.queue);
  const missing = change.missing.filter(({ source }) => source === retry);
  const extra = change.extra.filter(({ source }) => source === retry);
  const found = findSwitch(live, change.queue);
  const isMoved = ({ key }: LiveBinding) => missing.some((one) => one.key === key);
  // A switch of other tiers in service is as good: it holds a whole ladder, whose queues are there.
  const isOpening = found.services.length === 0 && extra.some(isMoved);
  const steps = [
    ...(isOpening ? openSwitch(plan, found, change.queue) : []),
    ...inTurn(missing, extra),
  ];
  const isThere = found.isDeclared || isOpening;
  const services = isOpening ? [tierChangeBinding(plan, change.queue)] : found.services;
  return [...steps, ...(isThere ? closeSwitch(services, change.queue) : [])];
}

interface FoundSwitch {
  readonly isDeclared: boolean;
  /** Bindings by which it gets messages. */
  readonly services: readonly LiveBinding[];
  /** Bindings by which it gives them on. */
  readonly rungs: readonly LiveBinding[];
}

function findSwitch(live: LiveTopology, queue: string): FoundSwitch {
  const name = tierChangeExchange(queue);
  return {
    isDeclared: live.exchanges.some((exchange) => exchange.name === name),
    services: live.bindings.filter(
      (one) => one.destination === name && one.destinationType === 'exchange',
    ),
    rungs: live.bindings.filter(({ source }) => source === name),
  };
}

/** What was left of an earlier try is out of service, so it may be changed in any order. */
function openSwitch(plan: TopologyPlan, found: FoundSwitch, queue: string): Step[] {
  const exchange = {
    name: tierChangeExchange(queue),
    type: 'direct' as const,
    alternate: parkExchange(queue),
  };
  const planned = wantedBindings(plan, { queues: [], exchanges: [] })
    .filter(({ source }) => source === retryExchange(queue))
    .map((one) => ({ ...one, source: exchange.name }));
  const [wanted, held] = [planned, found.rungs].map((list) => new Set(list.map(bindingText)));
  return [
    ...(found.isDeclared ? [] : [{ type: 'declareExchange' as const, exchange }]),
    ...found.rungs.filter((one) => wanted?.has(bindingText(one)) !== true).map(unbind),
    ...planned.filter((one) => held?.has(bindingText(one)) !== true).map(bind),
    bind(tierChangeBinding(plan, queue)),
  ];
}

/** Key by key: what a key loses, then what it gets. */
function inTurn(missing: readonly LiveBinding[], extra: readonly LiveBinding[]): Step[] {
  const keys = new Set([...missing, ...extra].map(({ key }) => key));
  return [...keys].flatMap((key) => [
    ...extra.filter((one) => one.key === key).map(unbind),
    ...missing.filter((one) => one.key === key).map(bind),
  ]);
}

function closeSwitch(services: readonly LiveBinding[], queue: string): Step[] {
  return [...services.map(unbind), { type: 'deleteExchange', name: tierChangeExchange(queue) }];
}
