/** The movements that a user may get, and how many are excluded by missing equipment (W1) and by tags (W3). */
import type { Movement } from './movement.ts';
import { CATALOGUE, MOVEMENT_BY_ID } from './movementCatalogue.ts';
import type { Level, User } from './user.ts';
import { HIGHEST_SKILL_LEVEL } from './user.ts';

export interface MovementPool {
  /** Never empty, and the same for every level: a movement above the level is replaced, not excluded. */
  readonly movements: readonly Movement[];
  /** The number of movements excluded by each missing piece of equipment and by each tag. */
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
  /** @returns the movement itself, or its nearest easier replacement in the pool (rule W2). */
  scaled(movement: Movement, level: Level): Movement;
}

export function movementPool(user: User): MovementPool {
  const excluded: Record<'W1' | 'W3', Record<string, number>> = { W1: {}, W3: {} };
  const owned = new Set<string>(user.equipment);
  const avoided = new Set<string>(user.exclusions);
  const movements = CATALOGUE.filter((movement) => {
    const missing = movement.equipment.find((item) => !owned.has(item));
    if (missing !== undefined) return exclude(excluded.W1, missing);
    const tag = movement.tags.find((carried) => avoided.has(carried));
    return tag === undefined || exclude(excluded.W3, tag);
  });
  const ids = new Set(movements.map((movement) => movement.id));
  return { movements, excluded, scaled: (movement, level) => scale(movement, level, ids) };
}

/** Counts an excluded movement. @returns false, as the result of the filter. */
function exclude(causes: Record<string, number>, cause: string): false {
  causes[cause] = (causes[cause] ?? 0) + 1;
  return false;
}

function scale(movement: Movement, level: Level, ids: ReadonlySet<string>): Movement {
  // A breadth-first search: the list grows in the loop, and ends because a regression is always easier.
  const candidates: Movement[] = [movement];
  for (const candidate of candidates) {
    if (candidate.skillLevel <= HIGHEST_SKILL_LEVEL[level] && ids.has(candidate.id))
      return candidate;
    candidates.push(...candidate.regressions.flatMap((id) => MOVEMENT_BY_ID.get(id) ?? []));
  }
  throw new Error(`${movement.id} has no replacement for ${level}, which checkCatalogue rules out`);
}
