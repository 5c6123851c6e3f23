/** A settlement: what to store for an attempt that ended, and how its delivery is settled afterwards. */
import { type NextStep, nextStep, type Outcome } from '@fit/topology';
import type { AttemptEnd } from '@fit/topology/work';
import { describeError } from '../record/describeError.ts';
import type { ReceivedJob } from '../record/jobMessage.ts';
import type { AttemptRecord, JobDeath } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';
import type { DatabaseClock } from '../store/databaseClock.ts';
import type { Change } from '../store/jobChanges.ts';
import type { AttemptTrace } from '../trace/jobTracer.ts';

/** One object for each attempt; what only failed attempts need is made when their records are written. */
export interface Settlement {
  /** The ended attempt; its `settleDelivery` settles the delivery once the effect and the record are stored. */
  readonly end: AttemptEnd<ReceivedJob>;
  readonly transition: Extract<Transition, 'finish' | 'wait' | 'markDead' | 'cancel'>;
  readonly trace: AttemptTrace | undefined;
  /** The run that counts the end of the job; undefined until an unsigned message is compared with its record. */
  runId: string | undefined;
  /** True once the delivery is settled or refused, so that a repeated batch leaves it out. */
  isSettled: boolean;
}

/** The transition of the record for each next step. */
export const TRANSITION_OF = {
  ack: 'finish',
  drop: 'cancel',
  wait: 'wait',
  skip: 'wait',
  // The record changes before the message is rejected, so the reconciler never counts a job in the dead-letter queue as lost.
  exhaust: 'markDead',
  deadLetter: 'markDead',
} as const satisfies Record<NextStep['type'], Transition>;

export function settlementOf(
  end: AttemptEnd<ReceivedJob>,
  trace: AttemptTrace | undefined,
): Settlement {
  return {
    end,
    transition: TRANSITION_OF[end.step.type],
    trace,
    runId: end.message.signedRunId,
    isSettled: false,
  };
}

/** @returns whether the job succeeded at its first attempt, so that one statement finishes it together with others. */
export function isFirstSuccess({ transition, end }: Settlement): boolean {
  return transition === 'finish' && end.attempt.number === 1 && end.outcome.type === 'done';
}

/** @returns what the handler's `store` receives; undefined where nothing is to be stored. */
export function effectOf({ transition, end }: Settlement): unknown {
  return transition === 'finish' && end.outcome.type === 'done' ? end.outcome.effect : undefined;
}

/**
 * Makes the settlement of an attempt whose effect the database refuses. Such an attempt counts as failed, like one whose
 * handler threw: the job waits for its next attempt, or is dead with the database's reason. If the refusal counted as an
 * outage, the write would be repeated for ever and every other job would wait.
 */
export function refusedSettlement({ end, trace, runId }: Settlement, error: Error): Settlement {
  const { kind, attempt, delivery } = end;
  const outcome: Outcome = { type: 'retry', error };
  const step = nextStep(kind, attempt, outcome);
  const settleDelivery = () => {
    if (step.type === 'wait' && kind.backend === 'native') delivery.rejectForNativeRetry();
    else delivery.nackToDeadLetterExchange();
  };
  const failed = { ...end, outcome, step, settleDelivery, endedAt: new Date() };
  return { ...settlementOf(failed, trace), runId };
}

/**
 * Makes the settlement of a last attempt that failed although the effect of its job is stored: an earlier attempt stored it
 * and was killed before it could write the record. The job is done, and its message is acknowledged.
 */
export function finishedByEarlierAttempt({ end, trace, runId }: Settlement): Settlement {
  const settleDelivery = () => {
    end.delivery.ack();
  };
  return {
    end: { ...end, settleDelivery },
    transition: 'finish',
    trace,
    runId,
    isSettled: false,
  };
}

/** Who writes a record, and by which clock. */
export interface RecordWriter {
  readonly workerId: string;
  readonly clock: Pick<DatabaseClock, 'fromProcessTime'>;
}

/** @returns the change of the record, with the attempt and, of a dead job, its death; all times are the database's. */
export function changeOf({ end, transition }: Settlement, writer: RecordWriter): Change {
  const attempt = attemptRecord(end, writer);
  return {
    id: end.message.id,
    generation: end.message.generation,
    attempt,
    // Skipped tiers count as spent attempts, so a republished job continues after them.
    ...(end.step.type === 'skip' ? { spentCount: end.step.tier } : {}),
    ...(transition === 'markDead' ? { death: deathOf(end.step, attempt) } : {}),
  };
}

/** @returns the cause of death of a settlement that marks its job dead. */
export function deathCauseOf({ end }: Settlement): 'exhausted' | 'fatal' {
  return end.step.type === 'exhaust' ? 'exhausted' : 'fatal';
}

function deathOf(step: NextStep, { error, endedAt }: AttemptRecord): JobDeath {
  const cause = step.type === 'exhaust' ? 'exhausted' : 'fatal';
  return {
    cause,
    fingerprint: error?.fingerprint ?? cause,
    reason: error?.message ?? cause,
    at: endedAt,
  };
}

function attemptRecord(
  end: AttemptEnd<ReceivedJob>,
  { workerId, clock }: RecordWriter,
): AttemptRecord {
  const { outcome, step } = end;
  return {
    number: end.attempt.number,
    generation: end.message.generation,
    startedAt: clock.fromProcessTime(end.startedAt.getTime()),
    endedAt: clock.fromProcessTime(end.endedAt.getTime()),
    outcome: outcome.type,
    workerId,
    ...('delayMs' in step ? { delayMs: step.delayMs } : {}),
    ...('error' in outcome ? { error: describeError(outcome.error) } : {}),
    ...(outcome.type === 'discard' ? { reason: outcome.reason } : {}),
  };
}
