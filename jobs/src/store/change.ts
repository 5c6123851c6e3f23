/** One job's next state → one guarded statement. */
import type { AnyBulkWriteOperation, UpdateFilter } from 'mongodb';
import {
  ATTEMPTS_KEPT,
  type AttemptRecord,
  type Death,
  type JobRecord,
} from '../record/jobRecord.ts';
import { allowedBefore, TRANSITIONS, type Transition } from '../record/transitions.ts';

/** One job's next state, as a worker or an intake wants it. */
export interface Change {
  readonly id: string;
  readonly generation: number;
  readonly attempt?: AttemptRecord;
  /** Attempts that count as spent, where these are not the attempt's number. */
  readonly spentCount?: number;
  readonly death?: Death;
}

/** @param group changes that differ in their id alone; at least one. */
export function changeOperation(
  transition: Transition,
  group: readonly Change[],
  now: Date,
): AnyBulkWriteOperation<JobRecord> {
  const [{ generation, attempt, spentCount, death }] = group as [Change];
  const state = TRANSITIONS[transition].to;
  const update: UpdateFilter<JobRecord> = {
    $set: {
      state,
      stateAt: now,
      ...(attempt === undefined ? {} : { attemptCount: spentCount ?? attempt.number }),
      ...(death === undefined ? {} : { death }),
      ...(state === 'done' ? { doneAt: now } : {}),
    },
    // Whatever the relay was refused before, the broker has carried it by now.
    $unset: { held: '' },
    ...(attempt === undefined
      ? {}
      : { $push: { attempts: { $each: [attempt], $slice: -ATTEMPTS_KEPT } } }),
  };
  return {
    updateMany: {
      filter: {
        _id: { $in: group.map(({ id }) => id) },
        generation,
        state: allowedBefore(transition),
        // An attempt that is on record already (its worker died before the nack) is not counted twice.
        ...(transition === 'wait' && attempt ? { attemptCount: { $lt: attempt.number } } : {}),
      },
      update,
    },
  };
}
