/** The generated parts of a document, between markers: `<!-- topology:tiers -->` … `<!-- /topology:tiers -->`. */
import type { TopologyPlan } from '@fit/topology';
import { diagram, exchangeTable, queueTable, tierTable } from './tables.ts';

const RENDERERS = {
  diagram,
  tiers: tierTable,
  queues: queueTable,
  exchanges: exchangeTable,
} as const satisfies Record<string, (plan: TopologyPlan) => string>;

/** The sections that a document may ask for. */
export const SECTIONS: readonly string[] = Object.keys(RENDERERS);

const OPENING = /^<!-- topology:([a-z]+) -->$/;

/**
 * @returns the document with every marked section as the plan has it; the rest is untouched.
 * @throws RangeError where it has no section, an unknown one, or one that is not closed.
 */
export function renderSections(document: string, plan: TopologyPlan): string {
  const lines = document.split('\n');
  const rendered: string[] = [];
  let sectionCount = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    rendered.push(line);
    const name = OPENING.exec(line)?.[1];
    if (name === undefined) continue;
    index = closingOf(lines, index, name);
    rendered.push(rendererOf(name)(plan), lines[index] ?? '');
    sectionCount += 1;
  }
  if (sectionCount === 0)
    throw new RangeError(`no line is a marker such as <!-- topology:${SECTIONS[0] ?? ''} -->`);
  return rendered.join('\n');
}

/** The first line that is not as it should be. */
export interface Difference {
  /** Counted from 1. */
  readonly line: number;
  /** Undefined where the document has no such line any more. */
  readonly actual: string | undefined;
  readonly expected: string | undefined;
}

/** @returns undefined where both texts are equal. */
export function firstDifference(actual: string, expected: string): Difference | undefined {
  const [have, want] = [actual.split('\n'), expected.split('\n')];
  const index = Array.from({ length: Math.max(have.length, want.length) }).findIndex(
    (_, at) => have[at] !== want[at],
  );
  return index < 0 ? undefined : { line: index + 1, actual: have[index], expected: want[index] };
}

function rendererOf(name: string): (plan: TopologyPlan) => string {
  if (Object.hasOwn(RENDERERS, name)) return RENDERERS[name as keyof typeof RENDERERS];
  throw new RangeError(`section '${name}' is none of ${SECTIONS.join(', ')}`);
}

function closingOf(lines: readonly string[], opening: number, name: string): number {
  const index = lines.indexOf(`<!-- /topology:${name} -->`, opening);
  if (index < 0) throw new RangeError(`line ${opening + 1}: section '${name}' is not closed`);
  return index;
}
