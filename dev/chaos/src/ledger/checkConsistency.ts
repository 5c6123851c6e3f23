/**
 * Checks a ledger: which jobs were lost, done twice or not requested. No I/O, so that tests can show with faulty ledgers that
 * each fault is found.
 */
import type { Ledger, LedgerJob } from './readLedger.ts';

export interface ConsistencyReport {
  readonly accepted: number;
  readonly done: number;
  /** Dead jobs by cause. */
  readonly dead: Readonly<Record<string, number>>;
  readonly workouts: number;
  /** Accepted jobs that are neither done nor dead; must be 0. */
  readonly lost: number;
  /** Workouts or jobs beyond one per user and day; must be 0. */
  readonly doubled: number;
  /** Done jobs without a workout, dead jobs with one, workouts without a job, and jobs that were not requested; must be 0. */
  readonly unexpected: number;
  /** Jobs with more than one attempt. */
  readonly retried: number;
  readonly mostAttempts: number;
  readonly depths: Readonly<Record<string, number>>;
  readonly storedDeadLetters: number;
}

export function checkConsistency(ledger: Ledger): ConsistencyReport {
  const keys = ledger.jobs.map(keyOf);
  const done = ledger.jobs.filter(({ state }) => state === 'done');
  const dead = ledger.jobs.filter(({ state }) => state === 'dead');
  const ended = new Set([...done, ...dead].map(keyOf));
  const workouts = new Set(ledger.workouts);
  const jobKeys = new Set(keys);
  const accepted = new Set(ledger.accepted);
  return {
    accepted: ledger.accepted.length,
    done: done.length,
    dead: countBy(dead.map(({ cause }) => cause ?? 'without a cause')),
    workouts: ledger.workouts.length,
    lost: ledger.accepted.filter((key) => !ended.has(key)).length,
    doubled: repeats(keys) + repeats(ledger.workouts),
    unexpected:
      done.filter((job) => !workouts.has(keyOf(job))).length +
      dead.filter((job) => workouts.has(keyOf(job))).length +
      ledger.workouts.filter((key) => !jobKeys.has(key)).length +
      keys.filter((key) => !accepted.has(key)).length,
    retried: ledger.jobs.filter(({ attempts }) => attempts.length > 1).length,
    // Not Math.max(...counts): arguments are passed on the stack, which overflows at 120,000 jobs.
    mostAttempts: ledger.jobs.reduce(
      (most, { attempts, attemptCount }) => Math.max(most, attempts.length, attemptCount),
      0,
    ),
    depths: ledger.depths,
    storedDeadLetters: ledger.storedDeadLetterCount,
  };
}

/**
 * A process converts the times of its attempts to the database's time, which is inexact by half a round trip, so a wait between
 * two processes may seem shorter than it was. In milliseconds; on a busy machine a round trip takes some hundreds.
 */
const CLOCK_ERROR_MS = 500;

/**
 * Compares retries with the declared tiers.
 * @param toleranceMs how much later than its tier a retry may start.
 * @returns a sentence for each attempt that came too early, too late, or after the wait of another tier.
 */
export function misplacedRetries(
  jobs: readonly LedgerJob[],
  tiersMs: readonly number[],
  toleranceMs: number,
): string[] {
  return jobs.flatMap(({ id, attempts }) =>
    attempts.flatMap((attempt, index) => {
      const next = attempts[index + 1];
      if (next?.generation !== attempt.generation) return [];
      const tierMs = tiersMs[attempt.number - 1] ?? 0;
      const waitedMs = next.startedAt.getTime() - attempt.endedAt.getTime();
      const isAtItsTier =
        attempt.delayMs === tierMs &&
        waitedMs >= tierMs - CLOCK_ERROR_MS &&
        waitedMs <= tierMs + toleranceMs;
      return isAtItsTier
        ? []
        : [`${id} waited ${waitedMs} ms after attempt ${attempt.number}, its tier is ${tierMs}`];
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
