/** A virtual host as data: what a plan leaves there, what a step changes, and where the broker would route. */
import type { ExchangePlan, PolicyPlan, TopologyPlan } from '@fit/topology';
import type { LiveBinding, LiveQueue, LiveTopology } from '@fit/topology/management';
import { bindingText, notesBinding } from '@fit/topology/management';
import { matchesPattern } from '../../../topology/src/declaration/keyPattern.ts';
import type { ApplyStep } from '../../src/apply/planSteps.ts';

export const EMPTY: LiveTopology = {
  exchanges: [],
  queues: [],
  bindings: [],
  policies: [],
  operatorPolicies: [],
};

/** What the broker holds once the plan is applied. */
export function liveOf(plan: TopologyPlan): LiveTopology {
  const steps: ApplyStep[] = [
    ...plan.policies.map((policy): ApplyStep => ({ type: 'putPolicy', policy })),
    ...plan.exchanges.map((exchange): ApplyStep => ({ type: 'declareExchange', exchange })),
    ...plan.queues.map((queue): ApplyStep => ({ type: 'declareQueue', queue })),
    ...plan.notes.map((notes): ApplyStep => ({ type: 'declareNotes', notes })),
    ...plan.bindings.map(
      ({ exchange, queue, ...rest }): ApplyStep => ({
        type: 'bind',
        binding: { source: exchange, destination: queue, destinationType: 'queue', ...rest },
      }),
    ),
  ];
  return steps.reduce(perform, EMPTY);
}

/** Throws where the broker would refuse. */
export function perform(live: LiveTopology, step: ApplyStep): LiveTopology {
  switch (step.type) {
    case 'putPolicy':
      return putPolicy(live, step.policy);
    case 'declareExchange':
      return declareExchange(live, step.exchange);
    case 'declareQueue':
      return {
        ...live,
        queues: [...live.queues, queueOf(step.queue.name, step.queue.arguments)],
      };
    case 'declareNotes': {
      const { name, arguments: settings } = step.notes;
      const withQueue = { ...live, queues: [...live.queues, queueOf(name, settings)] };
      const declared = declareExchange(withQueue, { name, type: 'fanout', alternate: undefined });
      return bind(declared, notesBinding(step.notes));
    }
    case 'bind':
      return bind(live, step.binding);
    case 'unbind':
      return { ...live, bindings: without(live, step.binding) };
    case 'deleteExchange':
      return {
        ...live,
        exchanges: live.exchanges.filter(({ name }) => name !== step.name),
        bindings: live.bindings.filter(
          ({ source, destination }) => source !== step.name && destination !== step.name,
        ),
      };
  }
}

function putPolicy(live: LiveTopology, { name, pattern, definition }: PolicyPlan): LiveTopology {
  const others = live.policies.filter((one) => one.name !== name);
  const put = { name, pattern, definition, applyTo: 'queues', priority: 0 };
  return { ...live, policies: [...others, put] };
}

function declareExchange(
  live: LiveTopology,
  { name, type, alternate }: ExchangePlan,
): LiveTopology {
  if (live.exchanges.some((one) => one.name === name)) return live;
  const made = { name, type, isDurable: true, isAutoDelete: false };
  const settings = alternate === undefined ? {} : { 'alternate-exchange': alternate };
  return { ...live, exchanges: [...live.exchanges, { ...made, arguments: settings }] };
}

function bind(live: LiveTopology, binding: LiveBinding): LiveTopology {
  const { source, destination, destinationType } = binding;
  const targets = destinationType === 'queue' ? live.queues : live.exchanges;
  if (!live.exchanges.some(({ name }) => name === source)) throw new Error(`no ${source}`);
  if (!targets.some(({ name }) => name === destination)) throw new Error(`no ${destination}`);
  return { ...live, bindings: [...without(live, binding), binding] };
}

export function queueOf(name: string, settings: LiveQueue['arguments']): LiveQueue {
  return {
    name,
    type: String(settings['x-queue-type']),
    isDurable: true,
    isAutoDelete: false,
    arguments: settings,
    policy: undefined,
    operatorPolicy: undefined,
    effectivePolicy: {},
    messageCount: 0,
    readyCount: 0,
    awaitingTransferCount: 0,
    consumerCount: 0,
  };
}

/** Order is of no meaning to a broker, and counts come and go. */
export function normalised(live: LiveTopology): object {
  const byText = (a: unknown, b: unknown) => JSON.stringify(a).localeCompare(JSON.stringify(b));
  return {
    exchanges: [...live.exchanges].sort(byText),
    queues: live.queues
      .map(({ name, type, isDurable, arguments: settings }) => ({
        name,
        type,
        isDurable,
        settings,
      }))
      .sort(byText),
    bindings: live.bindings.map(bindingText).sort(),
    policies: [...live.policies].sort(byText),
    operatorPolicies: [...live.operatorPolicies].sort(byText),
  };
}

/** Where a message goes that was rejected in main: every queue, as often as it gets it. */
export function afterRejection(live: LiveTopology, queue: string, key: string): string[] {
  return [...new Set(routed(live, `${queue}.dead-letter`, key))];
}

function routed(live: LiveTopology, exchange: string, key: string): string[] {
  const found = live.exchanges.find(({ name }) => name === exchange);
  if (found === undefined) return [];
  const matching = live.bindings.filter(
    (one) => one.source === exchange && isMatch(found.type, one, key),
  );
  const alternate = found.arguments['alternate-exchange'];
  if (matching.length === 0)
    return typeof alternate === 'string' ? routed(live, alternate, key) : [];
  return matching.flatMap(({ destination, destinationType }) =>
    destinationType === 'queue' ? [destination] : routed(live, destination, key),
  );
}

function isMatch(type: string, binding: LiveBinding, key: string): boolean {
  if (type === 'fanout') return true;
  if (type !== 'headers') return matchesPattern(binding.key, key);
  const reasons = ['x-last-death-reason', 'x-first-death-reason'].map(
    (name) => binding.arguments[name],
  );
  return reasons.includes('rejected');
}

function without(live: LiveTopology, binding: LiveBinding): LiveBinding[] {
  return live.bindings.filter((one) => bindingText(one) !== bindingText(binding));
}
