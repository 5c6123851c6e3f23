/** Bounds on parsed JSON, checked before any schema, because a schema check may recurse deeply or compare many elements. */

export interface JsonBounds {
  /** Maximum nesting of objects and arrays; `[]` has a depth of 1. */
  readonly depth: number;
  /** Maximum number of values in all arrays and objects together. */
  readonly elements: number;
}

/**
 * Checks parsed JSON against bounds. The check is iterative, so that deep nesting does not exhaust the stack, and it stops at
 * the first value beyond a bound, so that its time is limited by `elements`.
 * @param value what JSON.parse returned.
 * @returns what is wrong, such as 'is nested more than 32 deep'; undefined where the value is within the bounds.
 */
export function jsonFault(value: unknown, bounds: JsonBounds): string | undefined {
  let level: unknown[] = [value];
  let count = 0;
  for (let depth = 1; ; depth += 1) {
    const inner: unknown[] = [];
    for (const container of level) {
      if (typeof container !== 'object' || container === null) continue;
      if (depth > bounds.depth) return `is nested more than ${bounds.depth} deep`;
      if (Array.isArray(container)) {
        count += container.length;
        if (count > bounds.elements) return `has more than ${bounds.elements} elements`;
        for (const element of container) if (isContainer(element)) inner.push(element);
      } else {
        for (const key in container) {
          count += 1;
          if (count > bounds.elements) return `has more than ${bounds.elements} elements`;
          const element = (container as Record<string, unknown>)[key];
          if (isContainer(element)) inner.push(element);
        }
      }
    }
    if (inner.length === 0) return undefined;
    level = inner;
  }
}

function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
