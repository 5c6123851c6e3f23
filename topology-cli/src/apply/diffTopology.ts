/** Compares a live topology with the plan. No I/O. */
import {
  type ExchangePlan,
  formatDuration,
  type QueuePlan,
  returnExchange,
  type TopologyPlan,
} from '@fit/topology';
import {
  bindingText,
  canonicalText,
  type ForeignPolicy,
  findForeignPolicies,
  formerDelays,
  formerSpreadExchanges,
  formerWaitQueues,
  isSamePolicy,
  type LiveBinding,
  type LiveExchange,
  type LiveQueue,
  type LiveTopology,
  notesBinding,
  policyBody,
  privateExchanges,
  tierChangeExchange,
  wantedBindings,
} from '@fit/topology/management';

import { type ArgumentAdvice, adviseArguments } from './argumentAdvice.ts';

/** Stable codes for scripts. */
export type DifferenceCode =
  | 'EXCHANGE_MISSING'
  | 'EXCHANGE_DIFFERS'
  | 'EXCHANGE_OLD'
  | 'QUEUE_MISSING'
  | 'QUEUE_ARGUMENTS_DIFFER'
  | 'QUEUE_OLD'
  | 'CONSUMER_ON_WAIT'
  | 'NOTES_MISSING'
  | 'BINDING_MISSING'
  | 'BINDING_EXTRA'
  | 'TIER_CHANGE_LEFT'
  | 'POLICY_MISSING'
  | 'POLICY_DIFFERS'
  | 'POLICY_FOREIGN'
  | 'POLICY_OPERATOR';

/** What removes a difference: `topology apply`, `topology drain`, or an operator as the remedy says. */
export type FixedBy = 'apply' | 'drain' | 'operator';

/** One object of the virtual host that is not as planned. */
export interface TopologyDifference {
  readonly code: DifferenceCode;
  /** Name of the exchange, queue or policy; a binding is written as `source [key] -> destination`. */
  readonly subject: string;
  /** As planned; of arguments and definitions only those that differ. Absent if nothing is planned. */
  readonly planned?: unknown;
  /** As found; absent if nothing was found. */
  readonly live?: unknown;
  /** Of a queue with other arguments: what each one would do, and what to declare to adopt the queue with it. */
  readonly advice?: readonly ArgumentAdvice[];
  readonly remedy: string;
  readonly fixedBy: FixedBy;
}

/**
 * @returns all differences, in the order in which they are removed; empty if the virtual host equals the plan. Objects
 * that do not belong to the plan are ignored.
 */
export function diffTopology(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  return [
    ...diffPolicies(plan, live),
    ...diffExchanges(plan, live),
    ...diffQueues(plan, live),
    ...diffNotes(plan, live),
    ...diffBindings(plan, live),
  ];
}

/** The stream, its exchange and the binding between them count as one object. */
function diffNotes(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  const bound = new Set(live.bindings.map(bindingText));
  return plan.notes
    .filter((notes) => !bound.has(bindingText(notesBinding(notes))))
    .map((notes) => ({
      code: 'NOTES_MISSING',
      subject: notes.name,
      planned: notes.arguments,
      remedy: 'declare stream and exchange: topology apply',
      fixedBy: 'apply',
    }));
}

function diffPolicies(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  const owned = plan.policies.flatMap((planned): TopologyDifference[] => {
    const found = live.policies.find(({ name }) => name === planned.name);
    if (found !== undefined && isSamePolicy(planned, found)) return [];
    return [
      {
        code: found === undefined ? 'POLICY_MISSING' : 'POLICY_DIFFERS',
        subject: planned.name,
        planned: policyBody(planned),
        ...(found === undefined ? {} : { live: found }),
        remedy: 'set it: topology apply',
        fixedBy: 'apply',
      },
    ];
  });
  return [...owned, ...findForeignPolicies(plan, live).map(foreignPolicy)];
}

function foreignPolicy({ policy, queue, isOperator, effect }: ForeignPolicy): TopologyDifference {
  const command = isOperator ? 'clear_operator_policy' : 'clear_policy';
  return {
    code: isOperator ? 'POLICY_OPERATOR' : 'POLICY_FOREIGN',
    subject: `${policy.name} on ${queue}`,
    live: { pattern: policy.pattern, definition: policy.definition, priority: policy.priority },
    remedy: `${effect}; narrow its pattern, or remove it: rabbitmqctl ${command} -p VHOST ${policy.name}`,
    fixedBy: 'operator',
  };
}

function diffExchanges(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  const planned = plan.exchanges.flatMap((exchange): TopologyDifference[] => {
    const found = live.exchanges.find(({ name }) => name === exchange.name);
    if (found !== undefined) return exchangeDifference(exchange, found);
    return [
      {
        code: 'EXCHANGE_MISSING',
        subject: exchange.name,
        planned: exchange.type,
        remedy: 'declare it: topology apply',
        fixedBy: 'apply',
      },
    ];
  });
  const tierChangeNames = tierChangeExchanges(plan);
  const unfinished = live.exchanges
    .filter(({ name }) => tierChangeNames.has(name))
    .map(
      ({ name }): TopologyDifference => ({
        code: 'TIER_CHANGE_LEFT',
        subject: name,
        remedy: 'a change of tiers was interrupted; finish it: topology apply',
        fixedBy: 'apply',
      }),
    );
  const delays = formerDelays(plan, live).exchanges.map(
    ({ name }): TopologyDifference => ({
      code: 'EXCHANGE_OLD',
      subject: name,
      remedy:
        'it belongs to a delay that is no longer declared; once no publisher uses it and its queue is empty, delete it: topology drain',
      fixedBy: 'drain',
    }),
  );
  const spreads = formerSpreadExchanges(plan, live).map(
    ({ name }): TopologyDifference => ({
      code: 'EXCHANGE_OLD',
      subject: name,
      remedy:
        'messages of a wait queue that is no longer declared return by it; once that queue is empty, delete it: topology drain',
      fixedBy: 'drain',
    }),
  );
  return [...planned, ...unfinished, ...delays, ...spreads];
}

function exchangeDifference(planned: ExchangePlan, found: LiveExchange): TopologyDifference[] {
  const wanted: Readonly<Record<string, unknown>> = {
    type: planned.type,
    alternate: planned.alternate,
    isDurable: true,
    isAutoDelete: false,
  };
  const actual: Readonly<Record<string, unknown>> = {
    type: found.type,
    alternate: found.arguments['alternate-exchange'],
    isDurable: found.isDurable,
    isAutoDelete: found.isAutoDelete,
  };
  const names = Object.keys(wanted).filter((name) => wanted[name] !== actual[name]);
  if (names.length === 0) return [];
  return [
    {
      code: 'EXCHANGE_DIFFERS',
      subject: planned.name,
      planned: pick(wanted, names),
      live: pick(actual, names),
      // Deleting an exchange drops its bindings, and messages published or dead-lettered meanwhile are lost.
      remedy:
        'an exchange cannot be changed: use another virtual host or queue name; or stop all publishers and workers, wait until the queues are empty, delete it, and run topology apply',
      fixedBy: 'operator',
    },
  ];
}

function diffQueues(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  const former = formerWaitQueues(plan, live).map(({ queue }) => queue);
  const planned = plan.queues.flatMap((queue): TopologyDifference[] => {
    const found = live.queues.find(({ name }) => name === queue.name);
    if (found !== undefined)
      return [
        ...queueDifference(queue, found),
        ...(queue.role === 'wait' ? waitQueueConsumers(found) : []),
      ];
    return [
      {
        code: 'QUEUE_MISSING',
        subject: queue.name,
        planned: queue.arguments,
        remedy: 'declare it: topology apply',
        fixedBy: 'apply',
      },
    ];
  });
  const delays = formerDelays(plan, live).queues;
  return [
    ...planned,
    ...former.map((queue) => formerQueue(queue, 'tiers', 'return by themselves')),
    ...delays.map((queue) => formerQueue(queue, 'a delay', 'are delivered')),
    ...[...former, ...delays].flatMap(waitQueueConsumers),
  ];
}

/**
 * `apply` never replaces such a queue, even if it looks empty: the main queue would have to be unbound first, and
 * publishes would be returned meanwhile. Other tiers do not meet this case, since the names of wait queues contain their
 * time to live, unless their owner gave them names without it.
 */
function queueDifference(planned: QueuePlan, found: LiveQueue): TopologyDifference[] {
  const wanted = queueIdentity({ ...planned, isDurable: true, isAutoDelete: false });
  const actual = queueIdentity(found);
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(actual)])].filter(
    (name) => canonicalText(wanted[name]) !== canonicalText(actual[name]),
  );
  if (names.length === 0) return [];
  const advice = adviseArguments(planned, found, names);
  const isAdoptable = advice.every(({ declare }) => declare !== undefined);
  const adopt = `the queue can be adopted as it is: declare ${[...new Set(advice.map(({ declare }) => declare))].join('; ')}. Or: `;
  return [
    {
      code: 'QUEUE_ARGUMENTS_DIFFER',
      subject: found.name,
      planned: pick(wanted, names),
      live: pick(actual, names),
      advice,
      remedy: `${isAdoptable ? adopt : ''}${planned.role === 'wait' ? 'other delays with the same `names.wait` need another name there. ' : ''}${names.join(', ')} cannot be changed: declare another queue name or use another virtual host, and let the workers of the old one empty it; or stop publishers and workers, and once it is empty (messages and messages_dlx are 0) delete it and run topology apply; never delete it while it holds messages`,
      fixedBy: 'operator',
    },
  ];
}

function queueIdentity(
  queue: Pick<LiveQueue, 'arguments' | 'isDurable' | 'isAutoDelete'>,
): Readonly<Record<string, unknown>> {
  return { ...queue.arguments, durable: queue.isDurable, 'auto-delete': queue.isAutoDelete };
}

function formerQueue(
  { name, messageCount, arguments: settings }: LiveQueue,
  owner: string,
  end: string,
): TopologyDifference {
  const ttlMs = settings['x-message-ttl'];
  const wait = typeof ttlMs === 'number' ? ` after ${formatDuration(ttlMs)} at most` : '';
  return {
    code: 'QUEUE_OLD',
    subject: name,
    ...(messageCount === undefined ? {} : { live: { messageCount } }),
    remedy: `it belongs to ${owner} no longer declared; its messages ${end}${wait}; then delete it: topology drain`,
    fixedBy: 'drain',
  };
}

/** Wait queues have no consumers, so a consumer of one is an operator's mistake. */
function waitQueueConsumers({ name, consumerCount }: LiveQueue): TopologyDifference[] {
  if (consumerCount === 0) return [];
  return [
    {
      code: 'CONSUMER_ON_WAIT',
      subject: name,
      planned: { consumerCount: 0 },
      live: { consumerCount },
      remedy:
        'messages that it takes are never retried: find it with rabbitmqctl list_consumers, and stop it',
      fixedBy: 'operator',
    },
  ];
}

function diffBindings(plan: TopologyPlan, live: LiveTopology): TopologyDifference[] {
  const found = new Set(live.bindings.map(bindingText));
  const missing = wantedBindings(plan, live)
    .map(bindingText)
    .filter((text) => !found.has(text))
    .map(
      (subject): TopologyDifference => ({
        code: 'BINDING_MISSING',
        subject,
        remedy: 'bind it: topology apply',
        fixedBy: 'apply',
      }),
    );
  const returns = new Set(plan.kinds.map(({ queue }) => returnExchange(queue)));
  const delays = new Set(formerDelays(plan, live).exchanges.map(({ name }) => name));
  const reasonOf = ({ source }: LiveBinding) => {
    if (returns.has(source)) return 'no wait queue uses its key any more';
    return delays.has(source)
      ? 'the delay is no longer declared: once it is unbound, a publish with it is returned as unroutable'
      : 'it duplicates or misroutes messages';
  };
  const extra = extraBindings(plan, live).map(
    ({ binding, fixedBy }): TopologyDifference => ({
      code: 'BINDING_EXTRA',
      subject: bindingText(binding),
      remedy:
        fixedBy === 'apply'
          ? `${reasonOf(binding)}; unbind it: topology apply`
          : 'not planned; if it is not wanted, unbind it yourself: apply does not touch what others may use',
      fixedBy,
    }),
  );
  return [...missing, ...extra];
}

export interface ExtraBinding {
  readonly binding: LiveBinding;
  readonly fixedBy: FixedBy;
}

/**
 * @returns bindings of the plan's exchanges and queues that are not planned. Bindings of a tier-change exchange are left
 * out, because they belong to the difference `TIER_CHANGE_LEFT`, and those of the exchange of a former wait queue, which
 * has it until it is drained.
 */
export function extraBindings(plan: TopologyPlan, live: LiveTopology): ExtraBinding[] {
  const wanted = new Set(wantedBindings(plan, live).map(bindingText));
  const tierChangeNames = tierChangeExchanges(plan);
  const privateNames = privateExchanges(plan);
  const planned = new Set(plan.exchanges.map(({ name }) => name));
  const delays = new Set(formerDelays(plan, live).exchanges.map(({ name }) => name));
  const exchanges = new Set([...planned, ...privateNames, ...delays]);
  const queues = new Set([
    ...plan.queues.map(({ name }) => name),
    ...formerWaitQueues(plan, live).map(({ queue }) => queue.name),
  ]);
  const spreads = new Set(formerSpreadExchanges(plan, live).map(({ name }) => name));
  return live.bindings
    .filter((binding) => !wanted.has(bindingText(binding)))
    .filter(({ source }) => !spreads.has(source))
    .filter(
      ({ source, destination }) =>
        !tierChangeNames.has(source) && !tierChangeNames.has(destination),
    )
    .flatMap((binding): ExtraBinding[] => {
      const { source, destination, destinationType } = binding;
      const isSourceOwned = exchanges.has(source);
      const isDestinationOwned = (destinationType === 'queue' ? queues : exchanges).has(
        destination,
      );
      if (!isSourceOwned && !isDestinationOwned) return [];
      // Others may be bound to the public exchange, and publishers rely on exchanges of other systems. Private exchanges
      // that are not planned belong to the other back end and serve a main queue that still exists: without their
      // bindings its messages would be dead-lettered.
      const isRemovable =
        delays.has(source) ||
        (planned.has(source) && (privateNames.has(source) || isDestinationOwned));
      return [{ binding, fixedBy: isRemovable ? 'apply' : 'operator' }];
    });
}

function tierChangeExchanges(plan: TopologyPlan): ReadonlySet<string> {
  return new Set(plan.kinds.map(({ queue }) => tierChangeExchange(queue)));
}

function pick(values: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}
