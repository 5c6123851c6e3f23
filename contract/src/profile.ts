/** The profile of a user: what workouts depend on beside the day. */
import { EQUIPMENT, EXCLUSIONS, INJURIES, LEVELS } from '@fit/workout';
import Type, { type TArray, type TSchema } from 'typebox';

export const UserId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', maxLength: 64 });

/**
 * An array without duplicates, checked in linear time. The keyword `uniqueItems` is not used: TypeBox hashes each element
 * recursively, which exhausts the stack on deep input, and collects duplicates in quadratic time.
 * @param items strings or numbers: elements are compared with `===`.
 * @param bounds numbers of elements; `minItems` defaults to 0.
 */
export function distinctArray<Items extends TSchema>(
  items: Items,
  bounds: { readonly minItems?: number; readonly maxItems: number },
): TArray<Items> {
  return Type.Refine(
    Type.Array(items, { ...bounds }),
    // Of an array that is too long only the length is reported.
    (value) => !Array.isArray(value) || value.length > bounds.maxItems || isDistinct(value),
    () => 'must not have the same element twice',
  );
}

/** Up to this length comparing each with each is faster than a set, and most arrays of a payload are shorter. */
const SHORT_LENGTH = 12;

function isDistinct(values: readonly unknown[]): boolean {
  if (values.length > SHORT_LENGTH) return new Set(values).size === values.length;
  return values.every((value, index) => values.indexOf(value) === index);
}

export const ProfileFields = {
  level: Type.Enum([...LEVELS]),
  equipment: distinctArray(Type.Enum([...EQUIPMENT]), { maxItems: EQUIPMENT.length }),
  exclusions: distinctArray(Type.Enum([...EXCLUSIONS]), { maxItems: EXCLUSIONS.length }),
};

const GOALS = ['endurance', 'general', 'strength', 'weight loss'] as const;

/** What a profile may have besides. Injuries become exclusions of the payload. */
export const PersonFields = {
  goal: Type.Enum([...GOALS]),
  injuries: distinctArray(Type.Enum([...INJURIES]), { maxItems: INJURIES.length }),
  weightKg: Type.Number({ minimum: 20, maximum: 400 }),
  sex: Type.Enum(['female', 'male']),
};
