/** Jobs' next states → guarded updates, as few as there are differing guards. Pure. */
import type { Document, Filter } from 'mongodb';
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
  /** Where it is given, the record's must be equal: for a change by a message that was not compared yet. */
  readonly payload?: unknown;
}

/** One update of many jobs. */
export interface ChangeStatement {
  readonly ids: readonly string[];
  /** What must hold of each besides its id. */
  readonly filter: Filter<JobRecord>;
  readonly update: Document[];
}

/**
 * Each job has an attempt and a death of its own, and still they share one statement: the update looks its part up by
 * the job's id. A statement for each job is twice as slow, and a bulk write of several whose ids lie between each
 * other's deadlocks with its like for minutes (both measured).
 * @returns statements in the order in which they must run: an earlier attempt first.
 */
export function changeStatements(
  transition: Transition,
  changes: readonly Change[],
  now: Date,
): ChangeStatement[] {
  const alike = Map.groupBy(changes, (change) => guardOf(transition, change));
  return [...alike.values()]
    .sort(([a], [b]) => (a?.attempt?.number ?? 0) - (b?.attempt?.number ?? 0))
    .flatMap((group) => chunksOf(group, CHANGES_LIMIT))
    .map((group) => statementOf(transition, group, now));
}

/** Changes in one statement: each document is looked up among them, so the work grows with the square of it. */
const CHANGES_LIMIT = 500;

/** Changes with equal guards, and with equal fields, fit into one statement. */
function guardOf(transition: Transition, { generation, attempt, death, payload }: Change): string {
  const number = transition === 'wait' ? attempt?.number : undefined;
  const guards = [generation, number, attempt !== undefined, death !== undefined];
  return `${guards.join()},${JSON.stringify(payload)}`;
}

function statementOf(transition: Transition, group: readonly Change[], now: Date): ChangeStatement {
  const [{ generation, attempt, death, payload }] = group as [Change];
  const state = TRANSITIONS[transition].to;
  const ids = group.map(({ id }) => id);
  const own = (values: readonly unknown[]) => ({
    $arrayElemAt: [{ $literal: values }, { $indexOfArray: [{ $literal: ids }, '$_id'] }],
  });
  const attempts = group.map((change) => change.attempt);
  return {
    ids,
    filter: {
      generation,
      state: allowedBefore(transition),
      // An attempt that is on record already (its worker died before the nack) is not counted twice.
      ...(transition === 'wait' && attempt ? { attemptCount: { $lt: attempt.number } } : {}),
      ...(payload === undefined ? {} : { payload: { $eq: payload } }),
    },
    update: [
      {
        $set: {
          state,
          stateAt: now,
          ...(attempt === undefined
            ? {}
            : {
                attemptCount: own(
                  group.map((change) => change.spentCount ?? change.attempt?.number),
                ),
                attempts: {
                  $slice: [{ $concatArrays: ['$attempts', [own(attempts)]] }, -ATTEMPTS_KEPT],
                },
              }),
          ...(death === undefined ? {} : { death: own(group.map((change) => change.death)) }),
          ...(state === 'done' ? { doneAt: now } : {}),
        },
      },
      // Whatever the relay was refused before, the broker has carried it by now.
      { $unset: 'deferred' },
    ],
  };
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}
