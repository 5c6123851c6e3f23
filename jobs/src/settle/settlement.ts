/** An attempt that ended, on its way into the store and back to the broker. */
import { type Headers, type NextStep, nextStep, type Outcome } from '@fit/topology';
import type { AttemptEnd } from '@fit/topology/work';
import { describeError } from '../record/describeError.ts';
import { CREATED_AT_HEADER, type JobMessage } from '../record/jobMessage.ts';
import type { AttemptRecord, Death } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';
import type { Change } from '../store/change.ts';
import type { AttemptTrace } from '../trace/jobTracer.ts';

export interface Settlement {
  /** What to tell the broker, once everything below is stored. */
  readonly end: AttemptEnd<JobMessage>;
  readonly kind: string;
  readonly transition: Extract<Transition, 'finish' | 'wait' | 'markDead' | 'cancel'>;
  readonly change: Change;
  /** When the job was first enqueued, in milliseconds; undefined where its message does not say. */
  readonly createdAtMs: number | undefined;
  /** Present for a finished job only. */
  readonly effect: unknown;
  readonly trace?: AttemptTrace | undefined;
}

/** Where each step leaves the job. */
export const TRANSITION_OF = {
  ack: 'finish',
  drop: 'cancel',
  wait: 'wait',
  skip: 'wait',
  // Written before the broker is told: a job in the dead-letter queue is never taken for a lost one.
  exhaust: 'markDead',
  deadLetter: 'markDead',
} as const satisfies Record<NextStep['type'], Transition>;

/** Pure: what to store for an attempt that ended. */
export function settlementOf(end: AttemptEnd<JobMessage>, workerId: string): Settlement {
  const { message, outcome, step } = end;
  const attempt = attemptRecord(end, workerId);
  return {
    end,
    kind: message.kind,
    transition: TRANSITION_OF[step.type],
    change: {
      id: message.id,
      generation: message.generation,
      attempt,
      // The tiers that were skipped are spent: a republish goes on behind them.
      ...(step.type === 'skip' ? { spentCount: step.tier } : {}),
      ...deathOf(step, attempt),
    },
    createdAtMs: createdAtMs(end.delivery.headers),
    effect: outcome.type === 'done' ? outcome.effect : undefined,
  };
}

/**
 * The database refuses what the attempt made: then the attempt has failed, like one that threw. It waits for its next
 * try, or is dead with the database's reason; as an outage it would stop every other job.
 */
export function refusedSettlement(
  { end, trace }: Settlement,
  error: Error,
  workerId: string,
): Settlement {
  const { kind, attempt, delivery } = end;
  const outcome: Outcome = { type: 'retry', error };
  const step = nextStep(kind, attempt, outcome);
  const answer = () => {
    if (step.type === 'wait' && kind.backend === 'native') delivery.delay();
    else delivery.reject();
  };
  const settlement = settlementOf({ ...end, outcome, step, answer, endedAt: new Date() }, workerId);
  return trace === undefined ? settlement : { ...settlement, trace };
}

/** As the relay wrote it; anyone who may publish can have written anything. */
function createdAtMs(headers: Headers): number | undefined {
  const text = headers[CREATED_AT_HEADER];
  const atMs = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

function deathOf(step: NextStep, attempt: AttemptRecord): { readonly death?: Death } {
  if (step.type !== 'exhaust' && step.type !== 'deadLetter') return {};
  const cause = step.type === 'exhaust' ? 'exhausted' : 'fatal';
  const { error } = attempt;
  return {
    death: {
      cause,
      fingerprint: error?.fingerprint ?? cause,
      reason: error?.message ?? cause,
      at: attempt.endedAt,
    },
  };
}

function attemptRecord(end: AttemptEnd<JobMessage>, workerId: string): AttemptRecord {
  const { outcome, step } = end;
  return {
    number: end.attempt.number,
    generation: end.message.generation,
    startedAt: end.startedAt,
    endedAt: end.endedAt,
    outcome: outcome.type,
    workerId,
    ...('delayMs' in step ? { delayMs: step.delayMs } : {}),
    ...('error' in outcome ? { error: describeError(outcome.error) } : {}),
    ...(outcome.type === 'discard' ? { reason: outcome.reason } : {}),
  };
}
