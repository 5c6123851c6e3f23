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
  readonly holds: (medians: { readonly measured: number; readonly ratio: number }) => boolean;
}

export interface Measurement {
  /** What the baseline column of the report is, such as 'bare amqplib'. */
  readonly baselineName: string;
  readonly comparisons: readonly Comparison[];
  /** The figures of each round as they were measured. */
  readonly rounds: readonly object[];
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
