/** An attempt that ended, on its way into the store and back to the broker. */
import type { Attempt, KindDeclaration, NextStep } from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import { describeError } from '../record/fingerprint.ts';
import type { AttemptRecord, Death } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';
import type { Change } from '../store/jobStore.ts';
import type { Job, Outcome } from '../work/handler.ts';

export interface Settlement {
  readonly delivery: Delivery;
  readonly kind: string;
  readonly transition: Extract<Transition, 'finish' | 'wait' | 'bury'>;
  readonly change: Change;
  /** Present for a finished job only. */
  readonly effect: unknown;
  /** What the broker is told once everything above is stored. */
  readonly answer: 'ack' | 'reject';
}

export interface AttemptEnd {
  readonly job: Omit<Job, 'signal'>;
  readonly delivery: Delivery;
  readonly kind: KindDeclaration;
  readonly attempt: Attempt;
  readonly outcome: Outcome<unknown>;
  readonly step: NextStep;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly workerId: string;
}

/** Pure: what to store and what to answer, for an attempt that ended. */
export function settlementOf(end: AttemptEnd): Settlement {
  const { job, outcome, step } = end;
  const attempt = attemptRecord(end);
  const change: Change = { id: job.id, generation: job.generation, attempt };
  const base = { delivery: end.delivery, kind: job.kind, change, effect: undefined };
  switch (step.type) {
    case 'ack':
      return {
        ...base,
        transition: 'finish',
        effect: outcome.type === 'done' ? outcome.effect : undefined,
        answer: 'ack',
      };
    case 'wait':
      return { ...base, transition: 'wait', answer: 'reject' };
    case 'exhaust':
      // Written before the nack: a job in the dead-letter queue is never taken for a lost one.
      return buried(base, 'exhausted', 'reject');
    case 'park':
      return buried(base, 'fatal', 'ack');
  }
}

function buried(
  base: Omit<Settlement, 'transition' | 'answer'>,
  cause: Death['cause'],
  answer: Settlement['answer'],
): Settlement {
  const error = base.change.attempt?.error;
  const death: Death = {
    cause,
    fingerprint: error?.fingerprint ?? cause,
    reason: error?.message ?? cause,
    at: base.change.attempt?.endedAt ?? new Date(0),
  };
  return { ...base, transition: 'bury', change: { ...base.change, death }, answer };
}

function attemptRecord(end: AttemptEnd): AttemptRecord {
  const { outcome, step } = end;
  return {
    number: end.attempt.number,
    generation: end.job.generation,
    startedAt: end.startedAt,
    endedAt: end.endedAt,
    outcome: outcome.type,
    workerId: end.workerId,
    ...(step.type === 'wait' ? { delayMs: step.delayMs } : {}),
    ...(outcome.type === 'done' ? {} : { error: describeError(outcome.error) }),
  };
}
