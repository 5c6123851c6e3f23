/** One thing that `apply` does. */
import type { ExchangePlan, PolicyPlan, QueuePlan } from '@fit/topology';
import { bindingText, canonicalText, type LiveBinding } from '@fit/topology/management';

/** Each may be done twice: the second time changes nothing. */
export type Step =
  | { readonly type: 'putPolicy'; readonly policy: PolicyPlan }
  | { readonly type: 'declareExchange'; readonly exchange: ExchangePlan }
  | { readonly type: 'declareQueue'; readonly queue: QueuePlan }
  | { readonly type: 'bind'; readonly binding: LiveBinding }
  | { readonly type: 'unbind'; readonly binding: LiveBinding }
  | { readonly type: 'deleteExchange'; readonly name: string };

/** @returns one line for people. */
export function describeStep(step: Step): string {
  switch (step.type) {
    case 'putPolicy':
      return `put policy ${step.policy.name} ${canonicalText(step.policy.definition)}`;
    case 'declareExchange':
      return `declare exchange ${step.exchange.name} (${step.exchange.type})`;
    case 'declareQueue':
      return `declare queue ${step.queue.name}`;
    case 'bind':
      return `bind ${bindingText(step.binding)}`;
    case 'unbind':
      return `unbind ${bindingText(step.binding)}`;
    case 'deleteExchange':
      return `delete exchange ${step.name}`;
  }
}

export function bind(binding: LiveBinding): Step {
  return { type: 'bind', binding };
}

export function unbind(binding: LiveBinding): Step {
  return { type: 'unbind', binding };
}
