/** Rounds → medians, ratios, and whether they meet the aims. Pure. */
import { median, round } from '../statistics.ts';
import type { Pair, TopologyRound } from './measureTopology.ts';

export const AIMS = { latenessP99Ms: 100, publishRatio: 0.8, consumeRatio: 0.8 } as const;

export interface Comparison {
  readonly fitPerSecond: number;
  readonly barePerSecond: number;
  /** FIT against bare: the median of the rounds' own ratios, so that a slow minute of the machine hits both parts. */
  readonly ratio: number;
  readonly lowestRatio: number;
  readonly highestRatio: number;
  readonly passes: boolean;
}

/** Milliseconds, but for the rate. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  /** The worst of all rounds; a median would hide it. */
  readonly max: number;
  readonly perSecond: number;
}

export interface TopologySummary {
  readonly lateness: Pair<Lateness> & { readonly passes: boolean };
  readonly publish: Comparison;
  readonly consume: Comparison;
}

export function summariseTopology(rounds: readonly TopologyRound[]): TopologySummary {
  const fit = summariseLateness(rounds, 'fit');
  const bare = summariseLateness(rounds, 'bare');
  const publish = rounds.map(({ throughput }) => rates(throughput, 'publishPerSecond'));
  const consume = rounds.map(({ throughput }) => rates(throughput, 'consumePerSecond'));
  return {
    lateness: { fit, bare, passes: fit.p99 < AIMS.latenessP99Ms },
    publish: compare(publish, AIMS.publishRatio),
    consume: compare(consume, AIMS.consumeRatio),
  };
}

function rates(
  { fit, bare }: TopologyRound['throughput'],
  name: 'publishPerSecond' | 'consumePerSecond',
): Pair<number> {
  return { fit: fit[name], bare: bare[name] };
}

function compare(pairs: readonly Pair<number>[], aim: number): Comparison {
  const ratios = pairs.map(({ fit, bare }) => fit / bare);
  const ratio = median(ratios);
  return {
    fitPerSecond: median(pairs.map(({ fit }) => fit)),
    barePerSecond: median(pairs.map(({ bare }) => bare)),
    ratio: round(ratio),
    lowestRatio: round(Math.min(...ratios)),
    highestRatio: round(Math.max(...ratios)),
    passes: ratio >= aim,
  };
}

function summariseLateness(rounds: readonly TopologyRound[], side: keyof Pair<unknown>): Lateness {
  const figures = rounds.map(({ lateness }) => lateness[side]);
  return {
    p50: median(figures.map(({ p50 }) => p50)),
    p99: median(figures.map(({ p99 }) => p99)),
    max: Math.max(...figures.map(({ max }) => max)),
    perSecond: median(figures.map(({ perSecond }) => perSecond)),
  };
}
