/** Makes guarded updates of many jobs: one statement for each group of changes with equal guards. Pure. */
import type { Document, Filter, UpdateFilter } from 'mongodb';
import {
  type AttemptRecord,
  type JobDeath,
  type JobRecord,
  STORED_ATTEMPTS_LIMIT,
  STORED_TRACELINKS_LIMIT,
} from '../record/jobRecord.ts';
import {
  allowedBefore,
  type JobState,
  TRANSITIONS,
  type Transition,
} from '../record/transitions.ts';

/** A change of one job's record, as a worker or the dead-letter recorder requests it. */
export interface Change {
  readonly id: string;
  readonly generation: number;
  readonly attempt?: AttemptRecord;
  /** Number of spent attempts; default: the attempt's number. */
  readonly spentCount?: number;
  readonly death?: JobDeath;
  /** If given, the record changes only where its payload is equal. It is given where the message was not compared with the record. */
  readonly payload?: unknown;
}

/** Condition on the state of a record. */
interface StateFilter {
  readonly $in: JobState[];
}

/** One update of many jobs. */
export interface ChangeStatement {
  readonly ids: readonly string[];
  /** Condition on each record, in addition to its id. */
  readonly filter: Filter<JobRecord>;
  readonly update: Document[];
}

/**
 * Makes the statements for many changes. All jobs of a group share one statement, although each has its own attempt and
 * death: the update looks them up by the job's id. One statement for each job is twice as slow, and two bulk writes with interleaved ids block each other for
 * minutes (both measured).
 * @param from the states that are changed, where they are not all that the transition allows.
 * @returns statements in the order in which they must run: earlier attempts first.
 */
export function changeStatements(
  transition: Transition,
  changes: readonly Change[],
  from: StateFilter = allowedBefore(transition),
): ChangeStatement[] {
  const groups = Map.groupBy(changes, (change) => guardOf(transition, change));
  return [...groups.values()]
    .sort(([a], [b]) => (a?.attempt?.number ?? 0) - (b?.attempt?.number ?? 0))
    .flatMap((group) => chunksOf(group, CHANGES_LIMIT))
    .map((group) => statementOf(transition, group, from));
}

/** Maximum number of changes in one statement. Each document is looked up among them, so the work grows with the square. */
const CHANGES_LIMIT = 500;

/** @returns a key that is equal for changes with equal conditions and equal fields; these fit into one statement. */
function guardOf(transition: Transition, { generation, attempt, death, payload }: Change): string {
  const number = transition === 'wait' ? attempt?.number : undefined;
  const guards = [generation, number, attempt !== undefined, death !== undefined];
  return `${guards.join()},${JSON.stringify(payload)}`;
}

function statementOf(
  transition: Transition,
  group: readonly Change[],
  from: StateFilter,
): ChangeStatement {
  const [{ generation, attempt, death, payload }] = group as [Change];
  const state = TRANSITIONS[transition].to;
  const ids = group.map(({ id }) => id);
  const lookUpChange = (values: readonly unknown[]) => lookUp(ids, values);
  const attempts = group.map((change) => change.attempt);
  return {
    ids,
    filter: {
      // An effect that exists makes its job done, whatever generation its attempt had.
      ...(transition === 'finish' ? {} : { generation }),
      state: from,
      // If a worker dies between the write and the nack, the job is delivered again, and the attempt must not count twice.
      ...(transition === 'wait' && attempt ? { attemptCount: { $lt: attempt.number } } : {}),
      ...(payload === undefined ? {} : { payload: { $eq: payload } }),
    },
    update: [
      {
        $set: {
          state,
          stateAt: '$$NOW',
          ...(attempt === undefined
            ? {}
            : {
                attemptCount: lookUpChange(
                  group.map((change) => change.spentCount ?? change.attempt?.number),
                ),
                attempts: {
                  $slice: [
                    { $concatArrays: [{ $ifNull: ['$attempts', []] }, [lookUpChange(attempts)]] },
                    -STORED_ATTEMPTS_LIMIT,
                  ],
                },
              }),
          ...(death === undefined
            ? {}
            : { death: lookUpChange(group.map((change) => change.death)) }),
          ...(state === 'done' ? { doneAt: '$$NOW' } : {}),
          ...(state === 'done' && attempt !== undefined
            ? { workerId: lookUpChange(attempts.map((item) => item?.workerId)) }
            : {}),
        },
      },
      ...(state === 'done' ? [{ $unset: 'death' }] : []),
    ],
  };
}

/** @returns the value at the position that the id of the updated document has among these ids, as an expression. */
export function lookUp(ids: readonly string[], values: readonly unknown[]): Document {
  return { $arrayElemAt: [{ $literal: values }, { $indexOfArray: [{ $literal: ids }, '$_id'] }] };
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}

/** @returns the part of an update that links a job to the trace of what published it again; empty without a trace. */
export function linkToTrace(traceparent: string | undefined): UpdateFilter<JobRecord> {
  if (traceparent === undefined) return {};
  return { $push: { tracelinks: { $each: [traceparent], $slice: -STORED_TRACELINKS_LIMIT } } };
}
