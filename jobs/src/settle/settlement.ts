/** A settlement: what to store for an attempt that ended, and how its delivery is settled afterwards. */
import { type Outcome, retry, type SettledAttempt, type Thenable } from '@fit/topology';
import { describeError } from '../record/describeError.ts';
import type { ReceivedJob } from '../record/jobMessage.ts';
import type { AttemptRecord, JobDeath } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';
import type { DatabaseClock } from '../store/databaseClock.ts';
import type { Change } from '../store/jobChanges.ts';
import type { AttemptTrace } from '../trace/jobTracer.ts';

/** An attempt of a job that ended. */
export type EndedJob = SettledAttempt<unknown, ReceivedJob>;

/** One object for each attempt; what only failed attempts need is made when their records are written. */
export interface Settlement {
  readonly end: EndedJob;
  /** The outcome that is stored: that of the attempt, unless the store refused its effect. */
  readonly outcome: Outcome;
  readonly transition: Extract<Transition, 'finish' | 'wait' | 'markDead' | 'cancel'>;
  /** The wait that follows, in milliseconds. */
  readonly waitMs: number | undefined;
  /** Takes the place of the outcome for the broker; undefined: the message is settled as the attempt ended. */
  readonly answer: Outcome<never> | undefined;
  /** Settles the message, once the effect and the record are stored. */
  readonly settle: (answer: Outcome<never> | undefined) => void;
  readonly trace: AttemptTrace | undefined;
  /** The run that counts the end of the job; undefined until an unsigned message is compared with its record. */
  runId: string | undefined;
  /** True once the message is settled or refused, so that a repeated batch leaves it out. */
  isSettled: boolean;
}

/** What a worker waits for while an attempt is stored, in place of a promise. */
export class StoredAnswer implements Thenable<Outcome<never> | undefined> {
  #isSettled = false;
  #answer: Outcome<never> | undefined;
  #onAnswer: ((answer: Outcome<never> | undefined) => void) | undefined;

  /** `settle` of the settlement; a second call does nothing. */
  readonly settle = (answer: Outcome<never> | undefined): void => {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#answer = answer;
    this.#onAnswer?.(answer);
  };

  /** Calls the function once the attempt is stored; it is never rejected, since the settler repeats what fails. */
  then(onAnswer: (answer: Outcome<never> | undefined) => void): void {
    if (this.#isSettled) onAnswer(this.#answer);
    else this.#onAnswer = onAnswer;
  }
}

/**
 * @returns the transition of the record. It changes before the message is rejected, so the reconciler never counts a job in
 * the dead-letter queue as lost.
 */
export function transitionOf({
  next,
  outcome,
}: Pick<SettledAttempt<unknown>, 'next' | 'outcome'>): Settlement['transition'] {
  if (next === 'wait') return 'wait';
  if (next === 'dead') return 'markDead';
  return outcome.type === 'discard' ? 'cancel' : 'finish';
}

export function settlementOf(
  end: EndedJob,
  trace: AttemptTrace | undefined,
  settle: Settlement['settle'],
): Settlement {
  return {
    end,
    outcome: end.outcome,
    transition: transitionOf(end),
    waitMs: end.waitMs,
    answer: undefined,
    settle,
    trace,
    runId: end.message.body.signedRunId,
    isSettled: false,
  };
}

/** @returns whether the job succeeded at its first attempt, so that one statement finishes it together with others. */
export function isFirstSuccess({ transition, end, outcome }: Settlement): boolean {
  return transition === 'finish' && end.attempt.number === 1 && outcome.type === 'done';
}

/** @returns what the handler's `store` receives; undefined where nothing is to be stored. */
export function effectOf({ transition, outcome }: Settlement): unknown {
  return transition === 'finish' && outcome.type === 'done' ? outcome.effect : undefined;
}

/**
 * Makes the settlement of an attempt whose effect the database refuses. Such an attempt counts as failed, like one whose
 * handler threw: the job waits for its next attempt, or is dead with the database's reason. If the refusal counted as an
 * outage, the write would be repeated for ever and every other job would wait.
 */
export function refusedSettlement(settlement: Settlement, error: Error): Settlement {
  const failure = retry(error);
  const { nextDelayMs } = settlement.end.attempt;
  return {
    ...settlement,
    outcome: failure,
    transition: nextDelayMs === undefined ? 'markDead' : 'wait',
    waitMs: nextDelayMs,
    answer: failure,
    isSettled: false,
  };
}

/**
 * Makes the settlement of a last attempt that failed although the effect of its job is stored: an earlier attempt stored it
 * and was killed before it could write the record. The job is done, and its message is acknowledged.
 */
export function finishedByEarlierAttempt(settlement: Settlement): Settlement {
  return { ...settlement, transition: 'finish', answer: { type: 'done' }, isSettled: false };
}

/** Who writes a record, and by which clock. */
export interface RecordWriter {
  readonly workerId: string;
  readonly clock: Pick<DatabaseClock, 'fromProcessTime'>;
}

/** @returns the change of the record, with the attempt and, of a dead job, its death; all times are the database's. */
export function changeOf(settlement: Settlement, writer: RecordWriter): Change {
  const { end, transition } = settlement;
  const { body: job } = end.message;
  const attempt = attemptRecord(settlement, writer);
  return {
    id: job.id,
    generation: job.generation,
    attempt,
    // Skipped tiers count as spent attempts, so a republished job continues after them.
    ...(end.spent > end.attempt.number ? { spentCount: end.spent } : {}),
    ...(transition === 'markDead' ? { death: deathOf(settlement, attempt) } : {}),
  };
}

/** @returns the cause of death of a settlement that marks its job dead. */
export function deathCauseOf({ outcome }: Settlement): 'exhausted' | 'fatal' {
  return outcome.type === 'reject' ? 'fatal' : 'exhausted';
}

function deathOf(settlement: Settlement, { error, endedAt }: AttemptRecord): JobDeath {
  const cause = deathCauseOf(settlement);
  return {
    cause,
    fingerprint: error?.fingerprint ?? cause,
    reason: error?.message ?? cause,
    at: endedAt,
  };
}

function attemptRecord(
  { end, outcome, waitMs }: Settlement,
  { workerId, clock }: RecordWriter,
): AttemptRecord {
  return {
    number: end.attempt.number,
    generation: end.message.body.generation,
    startedAt: clock.fromProcessTime(end.startedAt.getTime()),
    endedAt: clock.fromProcessTime(end.endedAt.getTime()),
    outcome: outcome.type,
    workerId,
    ...(waitMs === undefined ? {} : { delayMs: waitMs }),
    ...('error' in outcome ? { error: describeError(outcome.error) } : {}),
    ...(outcome.type === 'discard' ? { reason: outcome.reason } : {}),
  };
}
