/** A plan as Markdown tables. What a table says of a message's way is asked of the explanation, not written twice. */

import type { PlannedKind, QueuePlan, TopologyPlan } from '@fit/topology';
import { deathReasons, formatDuration } from '@fit/topology';
import { type Explanation, explain } from '../explain/explain.ts';
import { endingText } from '../explain/explanationText.ts';
import { crashLimitOf } from '../simulate/deliveryCount.ts';
import type { Fate } from '../simulate/fate.ts';
import { graphOf } from './graph.ts';
import { mermaid } from './mermaid.ts';

/** @returns the plan's flowchart, fenced. */
export function diagram(plan: TopologyPlan): string {
  return `\`\`\`mermaid\n${mermaid(graphOf(plan))}\n\`\`\``;
}

/** @returns per kind each attempt, and what follows when it fails; then every other way to end. */
export function tierTable(plan: TopologyPlan): string {
  const tables = plan.kinds.map((kind) => {
    const rows = [...attemptRows(plan, kind), ...otherRows(plan, kind)];
    return table(['job of `' + kind.kind + '`', 'after', 'key', 'then'], rows);
  });
  return tables.join('\n\n');
}

/** @returns every queue with its arguments, its limits, and what is bound to it. */
export function queueTable(plan: TopologyPlan): string {
  return table(
    ['queue', 'role', 'arguments', 'policy', 'bound from'],
    plan.queues.map((queue) => [
      code(queue.name),
      queue.role === 'wait' ? `wait ${queue.tier}` : queue.role,
      entries(queue.arguments),
      plan.policies
        .filter(({ pattern }) => new RegExp(pattern).test(queue.name))
        .map(({ definition }) => entries(definition))
        .join('<br>'),
      boundFrom(plan, queue),
    ]),
  );
}

/** @returns every exchange with its type and where goes what matches no binding of it. */
export function exchangeTable(plan: TopologyPlan): string {
  return table(
    ['exchange', 'type', 'no match'],
    plan.exchanges.map(({ name, type, alternate }) => [
      code(name),
      type,
      alternate === undefined ? 'returned to its publisher' : code(alternate),
    ]),
  );
}

function attemptRows(plan: TopologyPlan, kind: PlannedKind): string[][] {
  return Array.from({ length: kind.tiersMs.length + 1 }, (_, failures) => {
    const before = explain(plan, kind.kind, repeated('retry', failures));
    const after = explain(plan, kind.kind, repeated('retry', failures + 1));
    const wait = after.steps.slice(before.steps.length).find(({ durationMs }) => durationMs > 0);
    const then =
      wait === undefined ? outcomeText(after) : `${wait.what} in ${code(wait.place)}, comes back`;
    const key = after.steps[before.steps.length]?.key ?? '';
    return [`attempt ${failures + 1} fails`, afterText(before.totalMs), code(key), then];
  });
}

function otherRows(plan: TopologyPlan, kind: PlannedKind): string[][] {
  const main = plan.queues.find(({ name }) => name === kind.queue);
  const reasons = main === undefined ? [] : deathReasons(main);
  const limit = main === undefined ? undefined : crashLimitOf(plan, main);
  const ends: [string, Fate[]][] = [['fails in a way that no retry mends', [{ type: 'fatal' }]]];
  if (limit !== undefined)
    ends.push([`ends its worker ${limit + 1} times`, repeated('crash', limit + 1)]);
  if (reasons.includes('expired')) ends.push(['is not taken in time', [{ type: 'expire' }]]);
  if (reasons.includes('maxlen'))
    ends.push(['is the oldest of a full queue', [{ type: 'overflow' }]]);
  return ends.map(([what, fates]) => {
    const explanation = explain(plan, kind.kind, fates);
    return [what, afterText(explanation.totalMs), 'any', outcomeText(explanation)];
  });
}

function afterText(elapsedMs: number): string {
  return elapsedMs === 0 ? 'at once' : formatDuration(elapsedMs);
}

function outcomeText({ ending }: Explanation): string {
  return ending.type === 'dead' ? `dead: \`${ending.cause}\`` : endingText(ending);
}

function repeated(type: 'retry' | 'crash', count: number): Fate[] {
  return Array.from({ length: count }, () => ({ type }));
}

function boundFrom({ bindings }: TopologyPlan, queue: QueuePlan): string {
  return bindings
    .filter((binding) => binding.queue === queue.name)
    .map(({ exchange, key, arguments: headers }) => {
      const reason = headers['x-last-death-reason'] ?? headers['x-first-death-reason'];
      const by = reason ?? key;
      return by === '' ? code(exchange) : `${code(exchange)} ${code(by)}`;
    })
    .join('<br>');
}

function entries(record: Readonly<Record<string, string | number>>): string {
  return Object.entries(record)
    .map(([name, value]) => `${name} ${code(String(value))}`)
    .join('<br>');
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
