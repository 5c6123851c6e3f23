/** A stored workout, as both services read it. Only the coach writes it, once for each (userId, date). */
import Type, { type Static } from 'typebox';
import { DateText } from './calendarDay.ts';
import { UserId } from './createWod.ts';

export const WODS_COLLECTION = 'wods';

const Drill = Type.Object({
  name: Type.String(),
  amount: Type.Number(),
  unit: Type.String(),
  patterns: Type.Array(Type.String()),
});

/** The workout that a user gets. The compiler checks the generator's type against it where the coach stores it. */
export const Wod = Type.Object({
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
});
export type Wod = Static<typeof Wod>;

export interface WodDocument extends Wod {
  /** `<userId>:<date>`: a second workout of the same user and day is refused by the database. */
  readonly _id: string;
  readonly jobId: string;
  readonly storedAt: Date;
}

export function wodId(userId: string, date: string): string {
  return `${userId}:${date}`;
}

/** @returns the part of a stored workout that a user sees. */
export function wodOf({ _id, jobId, storedAt, ...wod }: WodDocument): Wod {
  return wod;
}
