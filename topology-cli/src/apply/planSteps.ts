/** Plans the steps of `topology apply`. No I/O: after a kill the steps are planned again and lead to the same result. */
import {
  type ExchangePlan,
  firstRetryExchange,
  type NotesPlan,
  type PolicyPlan,
  parkExchange,
  type QueuePlan,
  retryExchange,
  retryExchanges,
  type TopologyPlan,
} from '@fit/topology';
import {
  bindingText,
  canonicalText,
  firstTierChangeExchange,
  type LiveBinding,
  type LiveTopology,
  publicExchange,
  tierChangeBinding,
  tierChangeExchange,
  wantedBindings,
} from '@fit/topology/management';
import { type DifferenceCode, diffTopology, extraBindings } from './diffTopology.ts';

/** One change; repeating it changes nothing. */
export type ApplyStep =
  | { readonly type: 'putPolicy'; readonly policy: PolicyPlan }
  | { readonly type: 'declareExchange'; readonly exchange: ExchangePlan }
  | { readonly type: 'declareQueue'; readonly queue: QueuePlan }
  | { readonly type: 'declareNotes'; readonly notes: NotesPlan }
  | { readonly type: 'bind'; readonly binding: LiveBinding }
  | { readonly type: 'unbind'; readonly binding: LiveBinding }
  | { readonly type: 'deleteExchange'; readonly name: string };

/** @returns one line for an operator. */
export function describeStep(step: ApplyStep): string {
  switch (step.type) {
    case 'putPolicy':
      return `put policy ${step.policy.name} ${canonicalText(step.policy.definition)}`;
    case 'declareExchange':
      return `declare exchange ${step.exchange.name} (${step.exchange.type})`;
    case 'declareQueue':
      return `declare queue ${step.queue.name}`;
    case 'declareNotes':
      return `declare stream and exchange ${step.notes.name}`;
    case 'bind':
      return `bind ${bindingText(step.binding)}`;
    case 'unbind':
      return `unbind ${bindingText(step.binding)}`;
    case 'deleteExchange':
      return `delete exchange ${step.name}`;
  }
}

/**
 * Policies come first, so that no queue is ever without its limit. The public binding comes last, so that nothing is
 * accepted before every path behind it exists. Extra bindings are removed once their replacement exists.
 * @returns an empty list if nothing is left that `apply` may change.
 */
export function planSteps(plan: TopologyPlan, live: LiveTopology): ApplyStep[] {
  const differences = diffTopology(plan, live);
  const differs = (subject: string, ...codes: DifferenceCode[]) =>
    differences.some(
      (difference) => codes.includes(difference.code) && difference.subject === subject,
    );
  const bound = new Set(live.bindings.map(bindingText));
  const missing = wantedBindings(plan, live).filter((binding) => !bound.has(bindingText(binding)));
  const extra = extraBindings(plan, live)
    .filter(({ fixedBy }) => fixedBy === 'apply')
    .map(({ binding }) => binding);
  const isPublic = ({ source }: LiveBinding) => source === publicExchange(plan);
  // Bindings of retry exchanges change only as `tierChangeSteps` orders them.
  const retrySources = new Set(plan.kinds.flatMap(({ queue }) => retryExchanges(queue)));
  const isRetry = ({ source }: LiveBinding) => retrySources.has(source);
  return [
    ...plan.policies
      .filter(({ name }) => differs(name, 'POLICY_MISSING', 'POLICY_DIFFERS'))
      .map((policy): ApplyStep => ({ type: 'putPolicy', policy })),
    ...plan.exchanges
      .filter(({ name }) => differs(name, 'EXCHANGE_MISSING'))
      .map((exchange): ApplyStep => ({ type: 'declareExchange', exchange })),
    ...plan.queues
      .filter(({ name }) => differs(name, 'QUEUE_MISSING'))
      .map((queue): ApplyStep => ({ type: 'declareQueue', queue })),
    ...plan.notes
      .filter(({ name }) => differs(name, 'NOTES_MISSING'))
      .map((notes): ApplyStep => ({ type: 'declareNotes', notes })),
    ...missing.filter((binding) => !isPublic(binding) && !isRetry(binding)).map(bind),
    ...plan.kinds.flatMap(({ queue }) => tierChangeSteps(plan, live, queue, missing, extra)),
    ...extra.filter((binding) => !isRetry(binding)).map(unbind),
    ...missing.filter(isPublic).map(bind),
  ];
}

/**
 * Replaces the tiers of one kind under running workers. Two exchanges take part: the retry exchange (`.retry`), and the
 * tier-change exchange, which exists only during the change. While messages pass through the retry exchange, its bindings
 * cannot be changed key by key: a key with its old and its new wait queue would duplicate each rejected message, and a key
 * with neither would dead-letter it too early, through the alternate exchange.
 *
 * The steps:
 * 1. Declare the tier-change exchange with the bindings of the new tiers.
 * 2. Bind it to the dead-letter exchange. From now on the tier-change exchange receives every rejected message. The retry
 *   exchange, as alternate exchange of the dead-letter exchange, receives only messages that match no binding, which are
 *   now none.
 * 3. Change the bindings of the retry exchange to the new tiers.
 * 4. Unbind the tier-change exchange, so that the retry exchange receives the rejected messages again.
 * 5. Delete the tier-change exchange.
 *
 * A queue with patterns of keys has a second retry exchange (`.retry.first`), and a second tier-change exchange, which is
 * the alternate of the first one, takes its place during the change.
 *
 * A worker that skips tiers publishes to the retry exchange directly, also during step 3. So each key is unbound first and
 * then bound: in between, such a message is dead-lettered, which can be replayed, instead of duplicated.
 */
function tierChangeSteps(
  plan: TopologyPlan,
  live: LiveTopology,
  queue: string,
  allMissing: readonly LiveBinding[],
  allExtra: readonly LiveBinding[],
): ApplyStep[] {
  const name = tierChangeExchange(queue);
  const missing = allMissing.filter(({ source }) => retryExchanges(queue).includes(source));
  const extra = allExtra.filter(({ source }) => retryExchanges(queue).includes(source));
  const names = [name, firstTierChangeExchange(queue)];
  const found = names.filter((one) => live.exchanges.some((exchange) => exchange.name === one));
  const begun = isFirstRetryPlanned(plan, queue) ? names : [name];
  const incoming = live.bindings.filter(
    ({ destination, destinationType }) => destination === name && destinationType === 'exchange',
  );
  const isKeyMoved = ({ key }: LiveBinding) => missing.some((binding) => binding.key === key);
  // A tier-change exchange that an interrupted run left bound has the bindings of a whole set of tiers, so it can stay.
  const isNeeded = incoming.length === 0 && extra.some(isKeyMoved);
  const keys = new Set([...missing, ...extra].map(({ key }) => key));
  return [
    ...(isNeeded ? startTierChange(plan, live, queue) : []),
    ...[...keys].flatMap((key) => [
      ...extra.filter((binding) => binding.key === key).map(unbind),
      ...missing.filter((binding) => binding.key === key).map(bind),
    ]),
    ...(isNeeded ? [unbind(tierChangeBinding(plan, queue))] : incoming.map(unbind)),
    ...[...new Set([...found, ...(isNeeded ? begun : [])])].map((one) => ({
      type: 'deleteExchange' as const,
      name: one,
    })),
  ];
}

/**
 * Steps 1 and 2. A tier-change exchange that an interrupted run left receives no messages here, so its bindings may be
 * changed in any order.
 */
function startTierChange(plan: TopologyPlan, live: LiveTopology, queue: string): ApplyStep[] {
  const name = tierChangeExchange(queue);
  const firstName = firstTierChangeExchange(queue);
  const park = parkExchange(queue);
  const hasFirst = isFirstRetryPlanned(plan, queue);
  const first: ExchangePlan = { name: firstName, type: 'topic', alternate: park };
  return [
    ...(hasFirst ? standIn(plan, live, firstRetryExchange(queue), first) : []),
    ...standIn(plan, live, retryExchange(queue), {
      name,
      type: 'direct',
      alternate: hasFirst ? firstName : park,
    }),
    bind(tierChangeBinding(plan, queue)),
  ];
}

function isFirstRetryPlanned(plan: TopologyPlan, queue: string): boolean {
  return plan.exchanges.some(({ name }) => name === firstRetryExchange(queue));
}

/** Declares an exchange with the planned bindings of another one. */
function standIn(
  plan: TopologyPlan,
  live: LiveTopology,
  source: string,
  exchange: ExchangePlan,
): ApplyStep[] {
  const { name } = exchange;
  const found = live.bindings.filter((binding) => binding.source === name);
  const planned = wantedBindings(plan, { queues: [], exchanges: [] })
    .filter((binding) => binding.source === source)
    .map((binding) => ({ ...binding, source: name }));
  const isIn = (bindings: readonly LiveBinding[], binding: LiveBinding) =>
    bindings.some((other) => bindingText(other) === bindingText(binding));
  const isDeclared = live.exchanges.some((other) => other.name === name);
  return [
    ...(isDeclared ? [] : [{ type: 'declareExchange' as const, exchange }]),
    ...found.filter((binding) => !isIn(planned, binding)).map(unbind),
    ...planned.filter((binding) => !isIn(found, binding)).map(bind),
  ];
}

function bind(binding: LiveBinding): ApplyStep {
  return { type: 'bind', binding };
}

function unbind(binding: LiveBinding): ApplyStep {
  return { type: 'unbind', binding };
}
