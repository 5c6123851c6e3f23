/** Rounds → what watching costs, against the bounds. Pure. */
import { median, quantile, round } from '../statistics.ts';
import type { Figures } from './stand.ts';
import type { Variant } from './variant.ts';

export type Round = Readonly<Record<Variant, Figures>>;

/** Share of throughput that may go, against the bare system of the same round; 1 is no bound. */
export const BOUNDS = { watched: 0.05, traced: 0.15, complete: 1 } as const;

export interface Cost {
  readonly variant: keyof typeof BOUNDS;
  readonly bound: number;
  /** Median of the share of throughput lost, round by round; below 0 it was faster. */
  readonly lost: number;
  /** The middle half of the rounds. */
  readonly lostFrom: number;
  readonly lostTo: number;
  /** Median of the processor time added for each job, as a share. */
  readonly cpuAdded: number;
  readonly isWithin: boolean;
}

export function costOf(variant: keyof typeof BOUNDS, rounds: readonly Round[]): Cost {
  const lost = rounds.map((one) => 1 - one[variant].perSecond / one.bare.perSecond);
  const sorted = lost.toSorted((a, b) => a - b);
  const added = rounds.map((one) => one[variant].cpuMsPerThousand / one.bare.cpuMsPerThousand - 1);
  const bound = BOUNDS[variant];
  return {
    variant,
    bound,
    lost: round(median(lost)),
    cpuAdded: round(median(added)),
    lostFrom: round(quantile(sorted, 0.25)),
    lostTo: round(quantile(sorted, 0.75)),
    isWithin: median(lost) < bound,
  };
}

export function renderCosts(costs: readonly Cost[], rounds: readonly Round[]): string {
  const perSecond = (variant: Variant) => median(rounds.map((one) => one[variant].perSecond));
  const rows = costs.map(({ variant, bound, lost, lostFrom, lostTo, cpuAdded, isWithin }) =>
    [
      ...[
        variant,
        String(perSecond(variant)),
        `${percent(lost)} (${percent(lostFrom)}–${percent(lostTo)})`,
      ],
      ...[
        percent(cpuAdded),
        bound < 1 ? `under ${percent(bound)}: ${isWithin ? 'yes' : 'NO'}` : 'none',
      ],
    ].join(' | '),
  );
  return [
    '| system | jobs/s | throughput lost (middle half) | processor time added | bound |',
    '|---|---|---|---|---|',
    `| bare | ${perSecond('bare')} | | | |`,
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
