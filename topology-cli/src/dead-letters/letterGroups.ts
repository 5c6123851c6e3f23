/** Letters alike, counted together: by kind, cause and fingerprint. */
import type { Letter } from './letter.ts';

/** Letters that died alike. */
export interface LetterGroup {
  readonly kind: string;
  readonly cause: string;
  readonly fingerprint: string;
  readonly errorClass: string;
  /** Of the first letter of the group. */
  readonly message: string;
  readonly count: number;
  /** ISO times of death; undefined where no letter of the group names one. */
  readonly firstAt: string | undefined;
  readonly lastAt: string | undefined;
  /** At most 5. */
  readonly keys: readonly string[];
  /** At most 3, oldest place in the queue first. */
  readonly exampleIds: readonly string[];
}

const KEY_LIMIT = 5;
const EXAMPLE_LIMIT = 3;

/** Counts letters by cause and fingerprint as they pass. */
export class LetterGroups {
  readonly #groups = new Map<string, LetterGroup>();

  add(letter: Letter): void {
    const place = `${letter.kind}\n${letter.cause}\n${letter.fingerprint}`;
    const group = this.#groups.get(place);
    this.#groups.set(place, group === undefined ? newGroup(letter) : grown(group, letter));
  }

  /** Largest first; those of one size in the order in which they were found. */
  list(): LetterGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}

function newGroup(letter: Letter): LetterGroup {
  const { kind, cause, fingerprint, errorClass, message, key, id } = letter;
  const at = letter.diedAt?.toISOString();
  return {
    kind,
    cause,
    fingerprint,
    errorClass,
    message,
    count: 1,
    firstAt: at,
    lastAt: at,
    keys: [key],
    exampleIds: [id],
  };
}

/** ISO times compare as text. */
function grown(group: LetterGroup, letter: Letter): LetterGroup {
  const at = letter.diedAt?.toISOString();
  const { firstAt = at, lastAt = at } = group;
  return {
    ...group,
    count: group.count + 1,
    firstAt: at !== undefined && firstAt !== undefined && at < firstAt ? at : firstAt,
    lastAt: at !== undefined && lastAt !== undefined && at > lastAt ? at : lastAt,
    keys: joined(group.keys, letter.key, KEY_LIMIT),
    exampleIds: joined(group.exampleIds, letter.id, EXAMPLE_LIMIT),
  };
}

function joined(values: readonly string[], value: string, limit: number): readonly string[] {
  return values.length >= limit || values.includes(value) ? values : [...values, value];
}
