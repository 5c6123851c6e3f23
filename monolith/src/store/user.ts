/** A member: what a workout depends on. */
import { ProfileFields, UserId } from '@fit/contract';
import Type, { type Static } from 'typebox';

/** `id` is optional so that another system can bring its own. */
export const NewUser = Type.Object(
  {
    id: Type.Optional(UserId),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    level: ProfileFields.level,
    equipment: ProfileFields.equipment,
    exclusions: Type.Optional(ProfileFields.exclusions),
  },
  { additionalProperties: false },
);
export type NewUser = Static<typeof NewUser>;

export const User = Type.Object({
  id: UserId,
  name: Type.Optional(Type.String()),
  level: ProfileFields.level,
  equipment: ProfileFields.equipment,
  exclusions: Type.Optional(ProfileFields.exclusions),
  createdAt: Type.String(),
});
export type User = Static<typeof User>;
