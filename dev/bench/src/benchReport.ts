/** The report of every workload: the machine once, then a line per figure with median, spread, ratio and bound. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { type Distribution, distributionOf, round } from './statistics.ts';
import type { Comparison, Measurement } from './workload.ts';

export interface Report {
  readonly workload: string;
  readonly machine: string;
  readonly settings: Readonly<Record<string, number>>;
  readonly baselineName: string;
  readonly figures: readonly Figure[];
  readonly rounds: readonly object[];
  readonly notes: readonly string[];
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly measured: Distribution;
  readonly baseline?: Distribution;
  /** The spread of the ratios of all rounds, measured / baseline. */
  readonly ratio?: Distribution;
  readonly bound?: {
    readonly description: string;
    readonly aim?: string;
    readonly holds: boolean;
  };
}

export interface ReportOptions {
  readonly workload: string;
  readonly machine: string;
  readonly settings: Readonly<Record<string, number>>;
}

/**
 * Call it before the workload starts: the load average must be that of other programs.
 * @returns processors, memory, version of Node and load of the machine, in one line.
 */
export function describeMachine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const load = round(loadavg()[0] ?? 0);
  return `${availableParallelism()} × ${model}, ${memoryGiB} GiB, Node ${process.version}, load average ${load} before`;
}

export function createReport(measurement: Measurement, options: ReportOptions): Report {
  return {
    workload: options.workload,
    machine: options.machine,
    settings: options.settings,
    baselineName: measurement.baselineName,
    figures: measurement.comparisons.map(toFigure),
    rounds: measurement.rounds,
    notes: measurement.notes ?? [],
  };
}

function toFigure({ name, unit, measured, baseline, bound }: Comparison): Figure {
  const ratios = baseline?.map((value, index) => (measured[index] ?? NaN) / value);
  const medians = {
    measured: distributionOf(measured).median,
    ratio: ratios === undefined ? NaN : distributionOf(ratios).median,
  };
  return {
    name,
    unit,
    measured: rounded(distributionOf(measured)),
    ...(baseline === undefined ? {} : { baseline: rounded(distributionOf(baseline)) }),
    ...(ratios === undefined ? {} : { ratio: rounded(distributionOf(ratios)) }),
    ...(bound === undefined
      ? {}
      : {
          bound: {
            description: bound.description,
            ...(bound.aim === undefined ? {} : { aim: bound.aim }),
            holds: bound.holds(medians),
          },
        }),
  };
}

function rounded(distribution: Distribution): Distribution {
  return {
    median: round(distribution.median),
    lowest: round(distribution.lowest),
    lowerQuartile: round(distribution.lowerQuartile),
    upperQuartile: round(distribution.upperQuartile),
    highest: round(distribution.highest),
  };
}

/** @returns false if a figure breaks its bound. */
export function isWithinBounds({ figures }: Report): boolean {
  return figures.every(({ bound }) => bound?.holds !== false);
}

/** @returns the report as a table in Markdown, without columns that are empty. */
export function renderReport({ machine, baselineName, figures, rounds, notes }: Report): string {
  const rows = figures.map(({ name, unit, measured, baseline, ratio, bound }) => [
    name,
    unit,
    renderDistribution(measured),
    baseline === undefined ? '' : renderDistribution(baseline),
    ratio === undefined ? '' : renderDistribution(ratio),
    ratio === undefined ? '' : `${ratio.lowerQuartile}–${ratio.upperQuartile}`,
    bound?.aim ?? '',
    bound === undefined ? '' : `${bound.description}: ${bound.holds ? 'yes' : 'NO'}`,
  ]);
  const header = [
    'figure',
    'unit',
    'measured',
    baselineName,
    'ratio',
    'middle half of the ratios',
    'aim',
    'bound',
  ];
  const isUsed = (_: unknown, index: number) => rows.some((cells) => cells[index] !== '');
  const names = header.filter(isUsed);
  return [
    machine,
    `median (lowest–highest) of ${rounds.length} round${rounds.length === 1 ? '' : 's'}`,
    '',
    `| ${names.join(' | ')} |`,
    `|${'---|'.repeat(names.length)}`,
    ...rows.map((cells) => `| ${cells.filter(isUsed).join(' | ')} |`),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)]),
  ].join('\n');
}

function renderDistribution({ median, lowest, highest }: Distribution): string {
  const format = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
  return `${format(median)} (${format(lowest)}–${format(highest)})`;
}
