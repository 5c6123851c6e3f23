/** A settlement: what to store for an attempt that ended, and how its delivery is settled afterwards. */
import { type Headers, type NextStep, nextStep, type Outcome } from '@fit/topology';
import type { AttemptEnd } from '@fit/topology/work';
import { describeError } from '../record/describeError.ts';
import { CREATED_AT_HEADER, type JobMessage } from '../record/jobMessage.ts';
import type { AttemptRecord, JobDeath } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';
import type { Change } from '../store/jobChanges.ts';
import type { AttemptTrace } from '../trace/jobTracer.ts';

export interface Settlement {
  /** The ended attempt; its `settleDelivery` settles the delivery once the effect and the record are stored. */
  readonly end: AttemptEnd<JobMessage>;
  readonly kind: string;
  readonly transition: Extract<Transition, 'finish' | 'wait' | 'markDead' | 'cancel'>;
  readonly change: Change;
  /** When the job was first enqueued, in milliseconds; undefined where its message has no such header. */
  readonly createdAtMs: number | undefined;
  /** What the handler's `store` receives; present for a finished job only. */
  readonly effect: unknown;
  readonly trace?: AttemptTrace | undefined;
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

/** @returns what to store for an attempt that ended. Pure. */
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
      // Skipped tiers count as spent attempts, so a republished job continues after them.
      ...(step.type === 'skip' ? { spentCount: step.tier } : {}),
      ...deathOf(step, attempt),
    },
    createdAtMs: createdAtMs(end.delivery.headers),
    effect: outcome.type === 'done' ? outcome.effect : undefined,
  };
}

/**
 * Makes the settlement of an attempt whose effect the database refuses. Such an attempt counts as failed, like one whose
 * handler threw: the job waits for its next attempt, or is dead with the database's reason. If the refusal counted as an
 * outage, the write would be repeated for ever and every other job would wait.
 */
export function refusedSettlement(
  { end, trace }: Settlement,
  error: Error,
  workerId: string,
): Settlement {
  const { kind, attempt, delivery } = end;
  const outcome: Outcome = { type: 'retry', error };
  const step = nextStep(kind, attempt, outcome);
  const settleDelivery = () => {
    if (step.type === 'wait' && kind.backend === 'native') delivery.rejectForNativeRetry();
    else delivery.nackToDeadLetterExchange();
  };
  const settlement = settlementOf(
    { ...end, outcome, step, settleDelivery, endedAt: new Date() },
    workerId,
  );
  return trace === undefined ? settlement : { ...settlement, trace };
}

/** @returns when the job was first enqueued; undefined where the header is no time, because any publisher can write any value. */
function createdAtMs(headers: Headers): number | undefined {
  const text = headers[CREATED_AT_HEADER];
  const atMs = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

function deathOf(step: NextStep, attempt: AttemptRecord): { readonly death?: JobDeath } {
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
