/** A stored workout, as both services read it. Only the coach writes it, once for each (userId, date). */
import { type CompactWorkout, expandWorkout, type Workout } from '@fit/workout';
import Type, { type Static } from 'typebox';
import { DateText } from './calendarDay.ts';
import { UserId } from './profile.ts';

export const WODS_COLLECTION = 'wods';

const Drill = Type.Object(
  {
    name: Type.String(),
    amount: Type.Number(),
    unit: Type.String(),
    patterns: Type.Array(Type.String()),
  },
  { title: 'Drill' },
);

/** The workout that a user gets. Its type is the generator's; a test compares the schema with generated workouts. */
export const Wod = Type.Unsafe<Workout>(
  Type.Object(
    {
      userId: UserId,
      date: DateText,
      version: Type.Integer(),
      format: Type.String(),
      title: Type.String(),
      scheme: Type.String(),
      scoreType: Type.String(),
      capSeconds: Type.Number(),
      estimatedSeconds: Type.Number(),
      target: Type.Object({ low: Type.Number(), high: Type.Number(), unit: Type.String() }),
      stimulus: Type.Object({
        timeDomain: Type.String(),
        load: Type.String(),
        intent: Type.String(),
      }),
      rounds: Type.Optional(Type.Number()),
      everySeconds: Type.Optional(Type.Number()),
      warmUp: Type.Array(Drill),
      movements: Type.Array(
        Type.Object({
          id: Type.String(),
          name: Type.String(),
          amount: Type.Number(),
          unit: Type.String(),
          perSide: Type.Optional(Type.Boolean()),
          loadKg: Type.Optional(Type.Number()),
          cue: Type.String(),
        }),
        { minItems: 1 },
      ),
      coolDown: Type.Array(Drill),
      explain: Type.Record(Type.String(), Type.Unknown()),
    },
    { title: 'Wod' },
  ),
);
export type Wod = Static<typeof Wod>;

/** What a user did of a workout. */
export const PerformedResult = Type.Object(
  {
    /** In the unit of the workout's target, such as rounds or seconds; for a workout that is scored by completion 1. */
    score: Type.Number({ minimum: 0, maximum: 1_000_000 }),
    /** True: as prescribed for the level, nothing was made easier. */
    asPrescribed: Type.Optional(Type.Boolean()),
    notes: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false, title: 'PerformedResult', examples: [{ score: 5 }] },
);

export interface Performance {
  readonly result: Static<typeof PerformedResult>;
  readonly at: Date;
}

/**
 * The document: ids and numbers, about 500 bytes, because storing is the dearest step of a job and its cost follows the size. The texts
 * are added when it is read. The job's id follows from the kind, user and date.
 */
export interface WodDocument extends CompactWorkout {
  /** `<userId>:<date>`, which is also the key of the job: a second workout of the same user and day is refused by the database. */
  readonly _id: string;
  readonly storedAt: Date;
  /** What the user did; absent before that. */
  readonly performed?: Performance;
}

export function wodId(userId: string, date: string): string {
  return `${userId}:${date}`;
}

/** @returns what a job's key is read back to, and a workout's id. Neither a kind nor a date has a colon. */
function partsOf(id: string): { readonly userId: string; readonly date: string } {
  const colon = id.lastIndexOf(':');
  return { userId: id.slice(0, colon), date: id.slice(colon + 1) };
}

/** @returns the user whose workout this is. */
export function userIdOf({ _id }: Pick<WodDocument, '_id'>): string {
  return partsOf(_id).userId;
}

/** A job of a workout. */
export interface WodJob {
  /** Id of the job. */
  readonly id: string;
  readonly userId: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

/** @returns user and day of a job of `createWod`. */
export function wodJobOf({ _id: id }: { readonly _id: string }): WodJob {
  return { id, ...partsOf(id.slice(id.indexOf(':') + 1)) };
}

/** @returns a regular expression for the keys of a user's jobs, of a day's jobs, or of both; undefined: of all jobs. */
export function wodKeyPattern({
  userId,
  date,
}: {
  readonly userId?: string | undefined;
  readonly date?: string | undefined;
}): string | undefined {
  if (userId === undefined && date === undefined) return undefined;
  const [user, day] = [userId, date].map((part) =>
    part === undefined ? '.*' : RegExp.escape(part),
  );
  return `${user}:${day}`;
}

/** @returns what exactly the ids of a day's workouts match. A query with it reads the whole collection. */
export function wodIdsOf(date: string): RegExp {
  return new RegExp(`:${date}$`);
}

/**
 * @returns the workout as the user sees it.
 * @throws UnreadableWorkout if a release wrote it that knows more than this one.
 */
export function wodOf(document: WodDocument): Wod {
  return expandWorkout(document, partsOf(document._id));
}
