/** The verdict over a ledger. Pure, so that planted faults can show that it turns red. */
import type { Ledger, LedgerJob } from './ledger.ts';

export interface Verdict {
  readonly accepted: number;
  readonly done: number;
  readonly dead: Readonly<Record<string, number>>;
  readonly workouts: number;
  /** Accepted, and neither done nor dead: must be 0. */
  readonly lost: number;
  /** Workouts or jobs beyond one per member and day: must be 0. */
  readonly doubled: number;
  /** Done without a workout, a workout without a job, a job that nobody asked for: must be 0. */
  readonly unexpected: number;
  readonly retried: number;
  readonly mostAttempts: number;
  readonly depths: Readonly<Record<string, number>>;
  readonly letters: number;
}

export function judge(ledger: Ledger): Verdict {
  const keys = ledger.jobs.map(keyOf);
  const done = ledger.jobs.filter(({ state }) => state === 'done');
  const dead = ledger.jobs.filter(({ state }) => state === 'dead');
  const ended = new Set([...done, ...dead].map(keyOf));
  const wods = new Set(ledger.wods);
  const known = new Set(keys);
  const asked = new Set(ledger.accepted);
  return {
    accepted: ledger.accepted.length,
    done: done.length,
    dead: countBy(dead.map(({ cause }) => cause ?? 'without a cause')),
    workouts: ledger.wods.length,
    lost: ledger.accepted.filter((key) => !ended.has(key)).length,
    doubled: repeats(keys) + repeats(ledger.wods),
    unexpected:
      done.filter((job) => !wods.has(keyOf(job))).length +
      ledger.wods.filter((key) => !known.has(key)).length +
      keys.filter((key) => !asked.has(key)).length,
    retried: ledger.jobs.filter(({ attempts }) => attempts.length > 1).length,
    // Not spread into Math.max: its arguments are on the stack, which 120,000 jobs overflow.
    mostAttempts: ledger.jobs.reduce((most, { attempts }) => Math.max(most, attempts.length), 0),
    depths: ledger.depths,
    letters: ledger.letterCount,
  };
}

/**
 * Retries against the declared tiers.
 * @returns a sentence for each attempt that waited for another time than its tier; later ones may be up to `slackMs`.
 */
export function misplacedRetries(
  jobs: readonly LedgerJob[],
  tiersMs: readonly number[],
  slackMs: number,
): string[] {
  return jobs.flatMap(({ id, attempts }) =>
    attempts.flatMap((attempt, index) => {
      const next = attempts[index + 1];
      if (next?.generation !== attempt.generation) return [];
      const tierMs = tiersMs[attempt.number - 1] ?? 0;
      const waitedMs = next.startedAt.getTime() - attempt.endedAt.getTime();
      const isRight =
        attempt.delayMs === tierMs && waitedMs >= tierMs && waitedMs <= tierMs + slackMs;
      return isRight
        ? []
        : [`${id} waited ${waitedMs} ms after attempt ${attempt.number}, declared ${tierMs}`];
    }),
  );
}

function keyOf(job: LedgerJob): string {
  return `${job.userId}:${job.date}`;
}

function repeats(keys: readonly string[]): number {
  return keys.length - new Set(keys).size;
}

function countBy(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(names, (name) => name)].map(([name, group]) => [name, group.length]),
  );
}
