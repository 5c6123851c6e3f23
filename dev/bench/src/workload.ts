/** A workload is one benchmark: its options, its rounds, and which figures are made of them. */

export interface NumberOption {
  readonly description: string;
  readonly default: number;
  /** Default 1. */
  readonly minimum?: number;
}

/** One figure of every round, alone or beside a baseline that was measured in the same round. */
export interface Comparison {
  readonly name: string;
  /** The unit, such as 'ms' or 'jobs/s'. */
  readonly unit: string;
  /** One value of each round. */
  readonly measured: readonly number[];
  /** What `measured` is divided by, round by round, so that a slow minute of the machine slows both. */
  readonly baseline?: readonly number[];
  readonly bound?: Bound;
}

/** What a figure must not exceed or fall below. */
export interface Bound {
  /** The bound as text, such as 'ratio ≥ 0.8'. */
  readonly description: string;
  /** What the figure should reach, as text; a figure between aim and bound is accepted. */
  readonly aim?: string;
  readonly holds: (medians: { readonly measured: number; readonly ratio: number }) => boolean;
}

/** @param aim what it should reach; default: the same. */
export function ratioAtLeast(limit: number, aim = limit): Bound {
  return {
    description: `ratio ≥ ${limit}`,
    aim: `≥ ${aim}`,
    holds: ({ ratio }) => ratio >= limit,
  };
}

/** @param aim what it should reach; default: the same. */
export function ratioAtMost(limit: number, aim = limit): Bound {
  return {
    description: `ratio ≤ ${limit}`,
    aim: `≤ ${aim}`,
    holds: ({ ratio }) => ratio <= limit,
  };
}

/** @param aim what it should reach; default: the same. */
export function measuredBelow(limit: number, unit: string, aim = limit): Bound {
  return {
    description: `< ${limit} ${unit}`,
    aim: `< ${aim} ${unit}`,
    holds: ({ measured }) => measured < limit,
  };
}

/** @param measured the values of all rounds: each of them must be the expected one. */
export function exactly(expected: number, measured: readonly number[]): Bound {
  return {
    description: `${expected} in every round`,
    holds: () => measured.every((value) => value === expected),
  };
}

export interface Measurement {
  /** What the baseline column of the report is, such as 'bare amqplib'; shown only if there is one. */
  readonly baselineName: string;
  readonly comparisons: readonly Comparison[];
  /** The figures of each round as they were measured. */
  readonly rounds: readonly object[];
  /** What a reader must know to judge the figures, such as a difference that flatters one side. */
  readonly notes?: readonly string[];
}

export interface Workload<Option extends string = string> {
  readonly name: string;
  /** A sentence for `--help`. */
  readonly description: string;
  readonly options: Readonly<Record<Option, NumberOption>>;
  /**
   * Starts servers of its own, measures all rounds, and stops the servers.
   * @param report is called with a line of progress.
   * @throws Error if a round did not do the work that its figures claim.
   */
  measure(
    settings: Readonly<Record<Option, number>>,
    report: (line: string) => void,
  ): Promise<Measurement>;
}
