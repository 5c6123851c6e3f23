/** Exchanges: missing, of another kind, or left over from a switch of ladders. */
import type { ExchangePlan, TopologyPlan } from '@fit/topology';
import type { LiveExchange, LiveTopology } from '@fit/topology/management';
import { tierChangeExchange } from '@fit/topology/management';
import type { Difference } from './difference.ts';

export function diffExchanges(plan: TopologyPlan, live: LiveTopology): Difference[] {
  return [
    ...plan.exchanges.flatMap((planned) => {
      const found = live.exchanges.find(({ name }) => name === planned.name);
      return found === undefined ? [missing(planned)] : differing(planned, found);
    }),
    ...plan.kinds.flatMap(({ queue }) =>
      live.exchanges.filter(({ name }) => name === tierChangeExchange(queue)).map(left),
    ),
  ];
}

function missing({ name, type }: ExchangePlan): Difference {
  const remedy = 'declare it: topology apply';
  return { code: 'EXCHANGE_MISSING', subject: name, planned: type, remedy, fixedBy: 'apply' };
}

function differing(planned: ExchangePlan, found: LiveExchange): Difference[] {
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
      // Deleting it drops its bindings, and what is published or dead-lettered meanwhile is lost.
      remedy:
        'an exchange cannot be changed: use another virtual host or queue name; or stop all publishers and workers, wait until the queues are empty, delete it, and run topology apply',
      fixedBy: 'hand',
    },
  ];
}

function left({ name }: LiveExchange): Difference {
  return {
    code: 'TIER_CHANGE_LEFT',
    subject: name,
    remedy: 'a change of tiers was cut short; finish it: topology apply',
    fixedBy: 'apply',
  };
}

function pick(values: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}
