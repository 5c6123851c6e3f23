/** Reports → the table of the documentation, and back. Pure. */
import type { Fault } from './fault.ts';
import type { FaultReport } from './observe.ts';
import type { Told } from './told.ts';

const HEAD = [
  '| fault | alert | told after | receiver | over after |',
  '| --- | --- | --- | --- | --- |',
];

/** A fault, and its lines of the table. */
export type Rows = ReadonlyMap<string, readonly string[]>;

/** The seconds are those of this campaign's shortened windows. */
export function rowsOf(reports: readonly FaultReport[]): Rows {
  return new Map(
    reports.map(({ fault, told }) => [
      fault.name,
      inOrder(told).map((item, index) => line(index === 0 ? fault.name : '', item)),
    ]),
  );
}

/** @returns what a table says of each fault: its first line has the name, the others have none. */
export function rowsIn(table: string): Rows {
  const rows = new Map<string, string[]>();
  let name = '';
  for (const row of table.split('\n').filter((text) => text.startsWith('| '))) {
    const own = row.split('|')[1]?.trim() ?? '';
    if (own !== '') name = own;
    rows.set(name, [...(rows.get(name) ?? []), row]);
  }
  return rows;
}

/** @returns the table of these faults in their order, and what each of them is. */
export function renderMatrix(faults: readonly Pick<Fault, 'name' | 'about'>[], rows: Rows): string {
  const lines = faults.flatMap(({ name }) => rows.get(name) ?? []);
  const abouts = faults.map(({ name, about }) => `- **${name}**: ${about}.`);
  return [...HEAD, ...lines, '', ...abouts].join('\n');
}

/** The expected ones first, then what came along. */
function inOrder(told: readonly Told[]): Told[] {
  return told.toSorted(
    (a, b) => Number(b.isExpected) - Number(a.isExpected) || a.firedSeconds - b.firedSeconds,
  );
}

function line(name: string, told: Told): string {
  const alert = told.isExpected ? `**${told.alert}**` : told.alert;
  const { resolvedSeconds } = told;
  const over = Number.isNaN(resolvedSeconds)
    ? 'not told'
    : resolvedSeconds < 0
      ? 'before'
      : `${resolvedSeconds} s`;
  return `| ${name} | ${alert} | ${told.firedSeconds} s | ${told.receiver} | ${over} |`;
}
