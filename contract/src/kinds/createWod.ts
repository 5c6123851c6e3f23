/** Makes the workout of a user and day. The coach stores workouts in bulk, so its handler is coach/src/handlers/createWodHandler.ts. */
import Type, { type Static } from 'typebox';
import { DateText } from '../calendarDay.ts';
import { ProfileFields, UserId } from '../profile.ts';
import type { EffectKind } from './jobKind.ts';

/** Expected load of the main queue. `returnCapacity` computes from it which part of the queue is reserved for retries. */
const LOAD = { perSecond: 500, failureRatio: 0.2 };

/** Everything that a workout depends on, as of the time when it was requested. */
export const CreateWodPayload = Type.Object(
  { userId: UserId, date: DateText, ...ProfileFields },
  { additionalProperties: false },
);
export type CreateWodPayload = Static<typeof CreateWodPayload>;

/** What is requested: the payload has the profile besides, which the monolith reads from the database. */
export const CreateWodRequest = Type.Object(
  { userId: Type.Optional(UserId), date: Type.Optional(DateText) },
  { additionalProperties: false },
);

export const createWod = {
  name: 'createWod',
  summary: 'Make the workout of a user and day',
  payload: CreateWodPayload,
  request: CreateWodRequest,
  policy: ({ profile, maxLength }) => ({
    maxLength: maxLength ?? (profile === 'assignment' ? 100 : 10_000),
    // The load is known only for the default limit: an operator sets another limit for another load.
    ...(profile === 'assignment' || maxLength !== undefined ? {} : { load: LOAD }),
    ...(profile === 'assignment' ? { messageTtl: '60s', unsafe: ['drop-head'] } : {}),
  }),
} as const satisfies EffectKind<typeof CreateWodPayload>;
