/** What happened to a job, in order: made from its record and its batch. No I/O. */
import {
  type AttemptRecord,
  type JobRecord,
  STORED_ATTEMPTS_LIMIT,
  STORED_REPLAYS_LIMIT,
} from '@fit/jobs';
import Type, { type Static } from 'typebox';

const at = Type.String();
const generation = Type.Integer({ minimum: 1 });

export const TimelineEntry = Type.Union(
  [
    /** The job was stored. */
    Type.Object({ type: Type.Literal('created'), at }),
    /** The broker confirmed the batch that published the job last. */
    Type.Object({ type: Type.Literal('published'), at }),
    Type.Object({
      type: Type.Literal('attempt'),
      /** Begin of the attempt; of a first attempt that succeeded only its end is known. */
      at,
      endedAt: Type.String(),
      number: Type.Integer({ minimum: 1 }),
      generation,
      outcome: Type.String(),
      workerId: Type.Optional(Type.String()),
      error: Type.Optional(Type.String()),
    }),
    Type.Object({
      type: Type.Literal('wait'),
      at,
      /** The wait of the retry tier. */
      plannedMs: Type.Number(),
      /** From the end of the attempt to the begin of the next one, so with the time in the queue; absent until that begins. */
      actualMs: Type.Optional(Type.Number()),
    }),
    Type.Object({
      type: Type.Literal('died'),
      at,
      cause: Type.String(),
      reason: Type.String(),
    }),
    /** The job got all its attempts again, in a new generation, by a replay or by a further run. */
    Type.Object({ type: Type.Literal('replayed'), at, generation, operationId: Type.String() }),
    Type.Object({ type: Type.Literal('cancelled'), at }),
    Type.Object({ type: Type.Literal('done'), at }),
  ],
  { title: 'TimelineEntry' },
);
export type TimelineEntry = Static<typeof TimelineEntry>;

export const Timeline = Type.Object(
  {
    entries: Type.Array(TimelineEntry),
    /** False: older attempts or replays are not stored any more. */
    isComplete: Type.Boolean(),
  },
  { title: 'Timeline' },
);

/**
 * The order is that of cause and effect, and not that of the times, because the clocks of workers and database may differ a little.
 * @param publishedAt when the broker confirmed the job's present batch; undefined: not yet, or not known any more.
 */
export function jobTimeline(
  job: JobRecord,
  publishedAt: Date | undefined,
): Static<typeof Timeline> {
  const {
    attempts = [],
    replays = [],
    createdAt,
    stateAt,
    state,
    death,
    doneAt,
    cancelledAt,
  } = job;
  const entries: TimelineEntry[] = [{ type: 'created', at: createdAt.toISOString() }];
  const cancelledIn =
    replays.findLast((replay) => cancelledAt !== undefined && replay.at <= cancelledAt)
      ?.generation ?? 1;
  for (let number = 1; number <= job.generation; number += 1) {
    const begin = replays.find((replay) => replay.generation === number);
    const ofGeneration = attempts.filter((attempt) => attempt.generation === number);
    const isLast = number === job.generation;
    if (begin !== undefined)
      entries.push({
        type: 'replayed',
        at: begin.at.toISOString(),
        generation: number,
        operationId: begin.operationId,
      });
    if (isLast && publishedAt !== undefined)
      entries.push({ type: 'published', at: publishedAt.toISOString() });
    entries.push(...attemptsOf(ofGeneration));
    if (isLast && state === 'done' && ofGeneration.length === 0 && doneAt !== undefined)
      entries.push(firstSuccessOf(job, doneAt));
    if (cancelledAt !== undefined && number === cancelledIn)
      entries.push({ type: 'cancelled', at: cancelledAt.toISOString() });
  }
  if (state === 'dead' && death !== undefined)
    entries.push({
      type: 'died',
      at: death.at.toISOString(),
      cause: death.cause,
      reason: death.reason,
    });
  if (state === 'done') entries.push({ type: 'done', at: (doneAt ?? stateAt).toISOString() });
  // A handler discarded the job.
  if (state === 'cancelled' && cancelledAt === undefined)
    entries.push({ type: 'cancelled', at: stateAt.toISOString() });
  return {
    entries,
    isComplete: attempts.length < STORED_ATTEMPTS_LIMIT && replays.length < STORED_REPLAYS_LIMIT,
  };
}

function attemptsOf(attempts: readonly AttemptRecord[]): TimelineEntry[] {
  return attempts.flatMap((attempt, index): TimelineEntry[] => {
    const { number, generation: of, startedAt, endedAt, outcome, workerId, delayMs } = attempt;
    const error = attempt.error?.message ?? attempt.reason;
    const entry: TimelineEntry = {
      type: 'attempt',
      at: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      number,
      generation: of,
      outcome,
      workerId,
      ...(error === undefined ? {} : { error }),
    };
    if (delayMs === undefined) return [entry];
    const next = attempts[index + 1];
    const actualMs = next && Math.max(0, next.startedAt.getTime() - endedAt.getTime());
    const wait: TimelineEntry = {
      type: 'wait',
      at: endedAt.toISOString(),
      plannedMs: delayMs,
      ...(actualMs === undefined ? {} : { actualMs }),
    };
    return [entry, wait];
  });
}

/** A first attempt that succeeds is not stored as an attempt. */
function firstSuccessOf({ generation: of, workerId }: JobRecord, doneAt: Date): TimelineEntry {
  return {
    type: 'attempt',
    at: doneAt.toISOString(),
    endedAt: doneAt.toISOString(),
    number: 1,
    generation: of,
    outcome: 'done',
    ...(workerId === undefined ? {} : { workerId }),
  };
}
