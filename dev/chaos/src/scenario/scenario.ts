/** A scenario injects faults into a system of its own and returns which guarantees do not hold afterwards. */
import type { ConsistencyReport } from '../ledger/checkConsistency.ts';
import { mismatch } from '../ledger/mismatch.ts';

export interface ScenarioResult {
  readonly consistency: ConsistencyReport;
  /** What does not hold; a scenario with an empty list has passed. */
  readonly failures: readonly string[];
  /** Figures for the report, such as the number of injected faults. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface ScenarioOptions {
  /** Each scenario has its own default. */
  readonly userCount?: number | undefined;
  /** How long the ports are attacked; for the scenario `port-attacks` only. */
  readonly attackSeconds?: number | undefined;
  /** Is called with each line of progress. */
  readonly report: (line: string) => void;
}

export interface Scenario {
  readonly name: string;
  /** A phrase for `--help`. */
  readonly description: string;
  execute(options: ScenarioOptions): Promise<ScenarioResult>;
}

/** @returns what breaks a guarantee of every scenario: nothing lost, doubled or unexpected, and empty queues. */
export function brokenGuarantees(consistency: ConsistencyReport): string[] {
  const filledQueues = Object.entries(consistency.depths).filter(
    ([queue, depth]) => depth > 0 && !queue.endsWith('.dead'),
  );
  return [
    ...mismatch('lost', consistency.lost, 0),
    ...mismatch('doubled', consistency.doubled, 0),
    ...mismatch('unexpected', consistency.unexpected, 0),
    ...filledQueues.map(([queue, depth]) => `${queue} still holds ${depth} messages`),
  ];
}
