/** Data that nobody can change afterwards: what was proved stays as it was proved. */

/**
 * Copies, so that the objects of the caller stay as they are; only for plain data, not for schemas or class instances.
 * @returns a copy of plain data in which every list and object is frozen.
 */
export function frozenCopy<Data>(data: Data): Data {
  if (Array.isArray(data))
    return Object.freeze(data.map((part: unknown) => frozenCopy(part))) as unknown as Data;
  if (typeof data !== 'object' || data === null) return data;
  const parts = Object.entries(data).map(([name, part]) => [name, frozenCopy<unknown>(part)]);
  return Object.freeze(Object.fromEntries(parts)) as Data;
}
