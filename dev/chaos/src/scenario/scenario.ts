/** A scenario: faults, and what must hold afterwards. */
import type { Verdict } from '../ledger/judge.ts';

export interface ScenarioResult {
  readonly verdict: Verdict;
  /** What does not hold; empty is a pass. */
  readonly failures: readonly string[];
  /** Figures worth keeping, such as faults injected. */
  readonly notes: Readonly<Record<string, number>>;
}

export interface ScenarioOptions {
  /** How long a scenario that has no end of its own goes on. */
  readonly seconds?: number | undefined;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  play(
    userCount: number | undefined,
    say: (line: string) => void,
    options?: ScenarioOptions,
  ): Promise<ScenarioResult>;
}

/** What holds after every scenario: nothing lost, doubled or unexpected, and quiet queues. */
export function common(verdict: Verdict): string[] {
  const { lost, doubled, unexpected, depths } = verdict;
  const busy = Object.entries(depths).filter(
    ([queue, depth]) => depth > 0 && !queue.endsWith('.dead'),
  );
  return [
    ...expect('lost', lost, 0),
    ...expect('doubled', doubled, 0),
    ...expect('unexpected', unexpected, 0),
    ...busy.map(([queue, depth]) => `${queue} still holds ${depth}`),
  ];
}

export function expect(name: string, actual: unknown, wanted: unknown): string[] {
  const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)];
  return a === w ? [] : [`${name}: ${a} instead of ${w}`];
}
