/** Looks whether a broker has what the plan needs, without a right to change anything. */
import type { BrokerConnection } from '../amqp/connection.ts';
import { lookForExchanges, lookForQueues } from '../amqp/declareObjects.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import {
  bindingText,
  canonicalText,
  readBindings,
  readQueues,
} from '../management/liveTopology.ts';
import type { ManagementApi } from '../management/managementApi.ts';
import { asLive } from '../management/ownedObjects.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';

/** What a look at the broker uses. */
export interface CheckOptions {
  /** Undefined: arguments and bindings are not compared, because AMQP has no request that reads them. */
  readonly api: ManagementApi | undefined;
  /** Is called for what cannot be looked at. */
  readonly onWarning: (warning: Fault) => void;
}

/** @throws TopologyError `TOPOLOGY_DIFFERS` with everything that is missing or differs. */
export async function checkTopology(
  connection: BrokerConnection,
  plan: TopologyPlan,
  { api, onWarning }: CheckOptions,
): Promise<void> {
  const exchanges = await lookForExchanges(
    connection,
    [...plan.exchanges, ...plan.notes].map(({ name }) => name),
  );
  const queues = await lookForQueues(
    connection,
    [...plan.queues, ...plan.notes].map(({ name }) => name),
  );
  const remedy = 'is missing: let an operator run topology apply, or open with assert: create';
  const faults = [
    ...exchanges.missing.map((name) => fault('OBJECT_MISSING', `exchange ${name}`, remedy)),
    ...queues.missing.map((name) => fault('OBJECT_MISSING', `queue ${name}`, remedy)),
    ...(api === undefined ? [] : await differences(plan, api)),
  ];
  if (faults.length > 0) throw new TopologyError('TOPOLOGY_DIFFERS', faults);
  const refused = [...exchanges.refused, ...queues.refused];
  if (refused.length === 0) return;
  // RabbitMQ 4.2.6 and 4.3.0 want a right to configure even for a passive declare (rabbitmq-server 16085).
  const unseen = 'the broker refuses to show them to this user, so they were not checked';
  onWarning(fault('CHECK_REFUSED', refused.join(', '), unseen));
}

async function differences(plan: TopologyPlan, api: ManagementApi): Promise<Fault[]> {
  const [queues, bindings] = await Promise.all([readQueues(api), readBindings(api)]);
  const bound = new Set(bindings.map(bindingText));
  const remedy = 'differs from the plan: let an operator run topology diff and apply';
  return [
    ...plan.queues.flatMap((planned) => {
      const live = queues.find(({ name }) => name === planned.name);
      if (live === undefined) return [];
      const isEqual = canonicalText(live.arguments) === canonicalText(planned.arguments);
      return isEqual ? [] : [fault('ARGUMENTS_DIFFER', planned.name, remedy)];
    }),
    ...plan.bindings
      .map((binding) => bindingText(asLive(binding)))
      .filter((text) => !bound.has(text))
      .map((text) => fault('BINDING_MISSING', text, remedy)),
  ];
}
