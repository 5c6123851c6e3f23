/** Counts dead letters that died in the same way: same kind, cause and fingerprint. */
import type { ParsedDeadLetter } from './parsedDeadLetter.ts';

export interface DeadLetterGroup {
  readonly kind: string;
  readonly cause: string;
  readonly fingerprint: string;
  readonly errorClass: string;
  /** Error message of the first dead letter of the group. */
  readonly message: string;
  /** Deaths; further dead letters of one death are in `copyCount`. */
  readonly count: number;
  /** Second dead letters of a death, which a worker left that was killed before it acknowledged the message. */
  readonly copyCount: number;
  /** Highest number of an attempt that failed last; undefined if none is known. */
  readonly attempt: number | undefined;
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
  readonly #identities = new Set<string>();

  add(deadLetter: ParsedDeadLetter): void {
    const { kind, cause, fingerprint, errorClass, message } = deadLetter;
    const groupKey = `${kind}\n${cause}\n${fingerprint}`;
    const group = this.#groups.get(groupKey);
    const at = deadLetter.diedAt?.toISOString();
    const { count = 0, copyCount = 0, firstAt = at, lastAt = at } = group ?? {};
    const { keys = [], exampleIds = [] } = group ?? {};
    const isCopy = this.#isCopy(deadLetter);
    this.#groups.set(groupKey, {
      kind,
      cause,
      fingerprint,
      errorClass,
      message: group?.message ?? message,
      count: isCopy ? count : count + 1,
      copyCount: isCopy ? copyCount + 1 : copyCount,
      attempt: highest(group?.attempt, deadLetter.attempt),
      // ISO times compare as text.
      firstAt: at !== undefined && firstAt !== undefined && at < firstAt ? at : firstAt,
      lastAt: at !== undefined && lastAt !== undefined && at > lastAt ? at : lastAt,
      keys: withValue(keys, deadLetter.key, KEY_LIMIT),
      exampleIds: withValue(exampleIds, deadLetter.id, EXAMPLE_LIMIT),
    });
  }

  #isCopy({ identity }: ParsedDeadLetter): boolean {
    if (identity === undefined) return false;
    const isKnown = this.#identities.has(identity);
    this.#identities.add(identity);
    return isKnown;
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

function highest(first: number | undefined, second: number | undefined): number | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return Math.max(first, second);
}

function withValue(values: readonly string[], value: string, limit: number): readonly string[] {
  return values.length >= limit || values.includes(value) ? values : [...values, value];
}
