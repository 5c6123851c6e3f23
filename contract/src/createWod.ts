/** The payload of a createWod job: all that a workout depends on, as of the moment it was asked for. */
import Type, { type Static } from 'typebox';
import { distinctArray } from './distinctArray.ts';

export const LEVELS = ['beginner', 'intermediate', 'rx'] as const;
export const EQUIPMENT = [
  'barbell',
  'bench',
  'bike',
  'box',
  'dumbbell',
  'jump rope',
  'kettlebell',
  'pull-up bar',
  'rings',
  'rower',
  'wall ball',
] as const;
export const EXCLUSIONS = ['grip-heavy', 'impact', 'inverted', 'overhead'] as const;

/** A calendar day; whether it exists is checked by `isCalendarDay`. */
export const DateText = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', maxLength: 10 });
export const UserId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', maxLength: 64 });

export const ProfileFields = {
  level: Type.Enum([...LEVELS]),
  equipment: distinctArray(Type.Enum([...EQUIPMENT]), { maxItems: EQUIPMENT.length }),
  exclusions: distinctArray(Type.Enum([...EXCLUSIONS]), { maxItems: EXCLUSIONS.length }),
};

export const CreateWodPayload = Type.Object(
  { userId: UserId, date: DateText, ...ProfileFields },
  { additionalProperties: false },
);
export type CreateWodPayload = Static<typeof CreateWodPayload>;
