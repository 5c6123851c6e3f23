/** A bounded array without duplicates, checked in linear time. */
import Type, { type TArray, type TSchema } from 'typebox';

/**
 * Instead of `uniqueItems`: typebox hashes each element recursively, which exhausts the stack on deep input, and collects
 * duplicates in quadratic time.
 * @param items strings or numbers: elements are compared with `===`.
 * @param bounds numbers of elements; `minItems` defaults to 0.
 */
export function distinctArray<Items extends TSchema>(
  items: Items,
  bounds: { readonly minItems?: number; readonly maxItems: number },
): TArray<Items> {
  const array = Type.Array(items, { ...bounds });
  return Type.Refine(
    array,
    // Of a value that is too long its length is the fault, and the only one worth telling.
    (value) => !Array.isArray(value) || value.length > bounds.maxItems || !hasDuplicate(value),
    () => 'must not have the same element twice',
  );
}

function hasDuplicate(elements: readonly unknown[]): boolean {
  return new Set(elements).size < elements.length;
}
