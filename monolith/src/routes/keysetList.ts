/** Lists that a client reads in parts: `limit` items after the id `after`, and the id to go on with. */
import Type, { type TSchema } from 'typebox';

/** Query parameters of a list, for a schema of the ids. `limit` is 1 to 500, default 100. */
export const listQuery = <Id extends TSchema>(id: Id) => ({
  after: Type.Optional(id),
  limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d?|[1-4]\\d\\d|500)$', maxLength: 3 })),
});

export function limitOf({ limit }: { readonly limit?: string }): number {
  return Number(limit ?? 100);
}

/** @returns the id that the next request goes on after; nothing if this was the last part. */
export function nextOf(ids: readonly string[], limit: number): { next?: string } {
  const last = ids.at(-1);
  return ids.length === limit && last !== undefined ? { next: last } : {};
}
