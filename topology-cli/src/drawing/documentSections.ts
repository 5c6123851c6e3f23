/**
 * Generates the sections of a document that stand between markers, such as `<!-- topology:tiers -->` and
 * `<!-- /topology:tiers -->`: a chart and tables of the plan.
 */
import {
  deathReasons,
  formatDuration,
  type PlannedKind,
  type QueuePlan,
  SPREAD_HEADER,
  type TopologyPlan,
} from '@fit/topology';
import { crashLimitOf } from '@fit/topology/testing';
import { type Explanation, endText, explainPath } from '../simulate/explainPath.ts';
import type { SimulatedOutcome } from '../simulate/simulatedOutcome.ts';
import { mermaidChart } from './mermaidChart.ts';
import { topologyGraph } from './topologyGraph.ts';

const RENDERERS = {
  diagram: (plan) => `\`\`\`mermaid\n${mermaidChart(topologyGraph(plan))}\n\`\`\``,
  tiers: tierTables,
  queues: queueTable,
  exchanges: exchangeTable,
} as const satisfies Record<string, (plan: TopologyPlan) => string>;

/** Names of the sections. */
export const SECTIONS: readonly string[] = Object.keys(RENDERERS);

const OPENING_MARKER = /^<!-- topology:([a-z]+) -->$/;

/**
 * @returns the document with each marked section generated from the plan; the rest is unchanged.
 * @throws RangeError if the document has no section, an unknown one, or one that is not closed.
 */
export function renderSections(document: string, plan: TopologyPlan): string {
  const lines = document.split('\n');
  const rendered: string[] = [];
  let sectionCount = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    rendered.push(line);
    const name = OPENING_MARKER.exec(line)?.[1];
    if (name === undefined) continue;
    if (!Object.hasOwn(RENDERERS, name))
      throw new RangeError(`section '${name}' is none of ${SECTIONS.join(', ')}`);
    const closing = lines.indexOf(`<!-- /topology:${name} -->`, index);
    if (closing < 0) throw new RangeError(`line ${index + 1}: section '${name}' is not closed`);
    rendered.push(RENDERERS[name as keyof typeof RENDERERS](plan), lines[closing] ?? '');
    index = closing;
    sectionCount += 1;
  }
  if (sectionCount === 0)
    throw new RangeError(`no line is a marker such as <!-- topology:${SECTIONS[0] ?? ''} -->`);
  return rendered.join('\n');
}

/** The first line in which a document differs. */
export interface LineDifference {
  /** Counted from 1. */
  readonly line: number;
  /** Undefined if the document has no such line. */
  readonly actual: string | undefined;
  readonly expected: string | undefined;
}

/** @returns undefined if the texts are equal. */
export function firstDifference(actual: string, expected: string): LineDifference | undefined {
  const actualLines = actual.split('\n');
  const expectedLines = expected.split('\n');
  const lineCount = Math.max(actualLines.length, expectedLines.length);
  for (let index = 0; index < lineCount; index += 1)
    if (actualLines[index] !== expectedLines[index])
      return { line: index + 1, actual: actualLines[index], expected: expectedLines[index] };
  return undefined;
}

/** For each kind its attempts and what follows when they fail, then every other way to end. */
function tierTables(plan: TopologyPlan): string {
  const tables = plan.kinds.map((kind) =>
    table(
      [`job of \`${kind.kind}\``, 'after', 'key', 'then'],
      [...attemptRows(plan, kind), ...otherEndRows(plan, kind)],
    ),
  );
  return tables.join('\n\n');
}

function attemptRows(plan: TopologyPlan, kind: PlannedKind): string[][] {
  return Array.from({ length: kind.tiersMs.length + 1 }, (_, failureCount) => {
    const before = explainPath(plan, kind.kind, repeated('retry', failureCount));
    const after = explainPath(plan, kind.kind, repeated('retry', failureCount + 1));
    const newSteps = after.steps.slice(before.steps.length);
    const wait = newSteps.find(({ durationMs }) => durationMs > 0);
    const then =
      wait === undefined ? endCell(after) : `${wait.what} in ${code(wait.place)}, comes back`;
    const key = newSteps[0]?.key ?? '';
    return [`attempt ${failureCount + 1} fails`, afterCell(before.totalMs), code(key), then];
  });
}

function otherEndRows(plan: TopologyPlan, kind: PlannedKind): string[][] {
  const main = plan.queues.find(({ name }) => name === kind.queue);
  const reasons = main === undefined ? [] : deathReasons(main);
  const limit = main === undefined ? undefined : crashLimitOf(plan, main);
  const ends: [string, SimulatedOutcome[]][] = [
    ['fails in a way that no retry can fix', [{ type: 'fatal' }]],
  ];
  if (limit !== undefined)
    ends.push([`crashes its worker ${limit + 1} times`, repeated('crash', limit + 1)]);
  if (reasons.includes('expired'))
    ends.push(['expires before a worker takes it', [{ type: 'expire' }]]);
  if (reasons.includes('maxlen'))
    ends.push(['is the oldest of a full queue', [{ type: 'overflow' }]]);
  return ends.map(([what, outcomes]) => {
    const explanation = explainPath(plan, kind.kind, outcomes);
    return [what, afterCell(explanation.totalMs), 'any', endCell(explanation)];
  });
}

function afterCell(elapsedMs: number): string {
  return elapsedMs === 0 ? 'at once' : formatDuration(elapsedMs);
}

function endCell({ end }: Explanation): string {
  return end.type === 'dead' ? `dead: \`${end.cause}\`` : endText(end);
}

function repeated(type: 'retry' | 'crash', count: number): SimulatedOutcome[] {
  return Array.from({ length: count }, () => ({ type }));
}

function queueTable(plan: TopologyPlan): string {
  const notes = plan.notes.map(({ name, arguments: settings }) => [
    code(name),
    'notes',
    entriesCell(settings),
    '',
    code(name),
  ]);
  return table(
    ['queue', 'role', 'arguments', 'policy', 'bound from'],
    plan.queues
      .map((queue) => [
        code(queue.name),
        queue.role === 'wait' ? `wait ${queue.tier}` : queue.role,
        entriesCell(queue.arguments),
        plan.policies
          .filter(({ pattern }) => new RegExp(pattern).test(queue.name))
          .map(({ definition }) => entriesCell(definition))
          .join('<br>'),
        boundFromCell(plan, queue),
      ])
      .concat(notes),
  );
}

function boundFromCell({ bindings }: TopologyPlan, queue: QueuePlan): string {
  return bindings
    .filter((binding) => binding.queue === queue.name)
    .map(({ exchange, key, arguments: headers }) => {
      const by =
        headers['x-last-death-reason'] ??
        headers['x-first-death-reason'] ??
        headers[SPREAD_HEADER] ??
        key;
      return by === '' ? code(exchange) : `${code(exchange)} ${code(by)}`;
    })
    .join('<br>');
}

function exchangeTable(plan: TopologyPlan): string {
  return table(
    ['exchange', 'type', 'no match'],
    plan.exchanges.map(({ name, type, alternate }) => [
      code(name),
      type,
      alternate === undefined ? 'returned to its publisher' : code(alternate),
    ]),
  );
}

function entriesCell(record: Readonly<Record<string, string | number>>): string {
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
