/** Reports → the table of the documentation. Pure. */
import type { FaultReport } from './observe.ts';
import type { Told } from './told.ts';

const HEAD = [
  '| fault | alert | told after | receiver | over after |',
  '| --- | --- | --- | --- | --- |',
];

/** @returns a table with a line per fault and alert; the seconds are those of this campaign's shortened windows. */
export function renderMatrix(reports: readonly FaultReport[]): string {
  const lines = reports.flatMap(({ fault, told }) =>
    inOrder(told).map((item, index) => line(index === 0 ? fault.name : '', item)),
  );
  const faults = reports.map(({ fault }) => `- **${fault.name}**: ${fault.about}.`);
  return [...HEAD, ...lines, '', ...faults].join('\n');
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
