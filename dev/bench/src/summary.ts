/** Rounds → medians and the table of the README. Pure. */
import type { FitFigures } from './measureFit.ts';
import type { FloorFigures } from './measureFloor.ts';
import { median, round } from './statistics.ts';

export interface Round {
  readonly small: FitFigures;
  readonly large: FitFigures;
  readonly floor: FloorFigures;
}

export type Summary = Readonly<Record<string, number>>;

export function summarise(rounds: readonly Round[]): Summary {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick));
  return {
    jobs: of(({ large }) => large.jobs),
    perSecondFrom202: of(({ large }) => large.perSecondFrom202),
    perSecondFromRequest: of(({ large }) => large.perSecondFromRequest),
    floorPerSecond: of(({ floor }) => floor.perSecond),
    ratioFrom202: round(of(({ large, floor }) => large.perSecondFrom202 / floor.perSecond)),
    ratioFromRequest: round(of(({ large, floor }) => large.perSecondFromRequest / floor.perSecond)),
    p50Ms: of(({ large }) => large.latencyMs.p50),
    p99Ms: of(({ large }) => large.latencyMs.p99),
    smallP50Ms: of(({ small }) => small.latencyMs.p50),
    smallP99Ms: of(({ small }) => small.latencyMs.p99),
    monolithSmallMiB: of(({ small }) => small.memoryMiB.monolith),
    monolithLargeMiB: of(({ large }) => large.memoryMiB.monolith),
    coachSmallMiB: of(({ small }) => small.memoryMiB.coach),
    coachLargeMiB: of(({ large }) => large.memoryMiB.coach),
  };
}

export function renderTable(summary: Summary): string {
  const value = (name: string) => String(summary[name] ?? '');
  const rows = [
    [
      'jobs/s, 202 to last stored',
      value('perSecondFrom202'),
      `${value('ratioFrom202')} of the floor`,
    ],
    [
      'jobs/s, request to last stored',
      value('perSecondFromRequest'),
      `${value('ratioFromRequest')} of the floor`,
    ],
    [
      'floor, jobs/s',
      value('floorPerSecond'),
      'bare publish, consume, insert, one after the other',
    ],
    [
      'enqueue to stored, p50 / p99',
      `${value('p50Ms')} / ${value('p99Ms')} ms`,
      `of ${value('jobs')} at once`,
    ],
    ['the same, 1,000 at once', `${value('smallP50Ms')} / ${value('smallP99Ms')} ms`, ''],
    [
      'monolith, peak RSS',
      `${value('monolithLargeMiB')} MiB`,
      `${growth(summary, 'monolith')} × of 1,000 jobs`,
    ],
    [
      'coach, peak RSS',
      `${value('coachLargeMiB')} MiB`,
      `${growth(summary, 'coach')} × of 1,000 jobs`,
    ],
  ];
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`);
  return ['| what | median | against |', '|---|---|---|', ...lines].join('\n');
}

function growth(summary: Summary, process: string): number {
  return round(
    (summary[`${process}LargeMiB`] ?? 0) / Math.max(1, summary[`${process}SmallMiB`] ?? 1),
  );
}
