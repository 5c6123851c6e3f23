/** Counts dead letters that died in the same way: same kind, cause and fingerprint. */
import type { ParsedDeadLetter } from './parsedDeadLetter.ts';

export interface DeadLetterGroup {
  readonly kind: string;
  readonly cause: string;
  readonly fingerprint: string;
  readonly errorClass: string;
  /** Error message of the first dead letter of the group. */
  readonly message: string;
  readonly count: number;
  /** ISO times of death; undefined if no dead letter of the group names a time. */
  readonly firstAt: string | undefined;
  readonly lastAt: string | undefined;
  /** Routing keys, at most 5. */
  readonly keys: readonly string[];
  /** Ids of the first dead letters of the group, at most 3. */
  readonly exampleIds: readonly string[];
}

const KEY_LIMIT = 5;
const EXAMPLE_LIMIT = 3;

export class DeadLetterGroups {
  readonly #groups = new Map<string, DeadLetterGroup>();

  add(deadLetter: ParsedDeadLetter): void {
    const { kind, cause, fingerprint, errorClass, message } = deadLetter;
    const groupKey = `${kind}\n${cause}\n${fingerprint}`;
    const group = this.#groups.get(groupKey);
    const at = deadLetter.diedAt?.toISOString();
    const { count = 0, firstAt = at, lastAt = at, keys = [], exampleIds = [] } = group ?? {};
    this.#groups.set(groupKey, {
      kind,
      cause,
      fingerprint,
      errorClass,
      message: group?.message ?? message,
      count: count + 1,
      // ISO times compare as text.
      firstAt: at !== undefined && firstAt !== undefined && at < firstAt ? at : firstAt,
      lastAt: at !== undefined && lastAt !== undefined && at > lastAt ? at : lastAt,
      keys: withValue(keys, deadLetter.key, KEY_LIMIT),
      exampleIds: withValue(exampleIds, deadLetter.id, EXAMPLE_LIMIT),
    });
  }

  /** @returns the largest group first; groups of one size in the order in which they were found. */
  list(): DeadLetterGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}

/** @returns how many dead letters the groups hold together. */
export function totalCount(groups: readonly DeadLetterGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

function withValue(values: readonly string[], value: string, limit: number): readonly string[] {
  return values.length >= limit || values.includes(value) ? values : [...values, value];
}
