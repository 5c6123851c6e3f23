/** The movements a member may be given, and why the others may not (rules W1, W3). */
import { CATALOGUE, MOVEMENT_BY_ID } from './catalogue.ts';
import type { Level } from './level.ts';
import { HIGHEST_TIER } from './level.ts';
import type { Member } from './member.ts';
import type { Movement } from './movement.ts';

export interface Pool {
  /** Never empty, and the same for every level: skill is met by scaling, not by exclusion. */
  readonly movements: readonly Movement[];
  /** How many movements each missing piece of equipment, and each tag, took out. */
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
  /** The movement itself, or its nearest easier relative in the pool (rule W2). */
  scaled(movement: Movement, level: Level): Movement;
}

export function memberPool(member: Member): Pool {
  const excluded: Record<'W1' | 'W3', Record<string, number>> = { W1: {}, W3: {} };
  const owned = new Set<string>(member.equipment);
  const avoided = new Set<string>(member.exclusions);
  const movements = CATALOGUE.filter((movement) => {
    const missing = movement.equipment.find((item) => !owned.has(item));
    if (missing !== undefined) return count(excluded.W1, missing);
    const tag = movement.tags.find((carried) => avoided.has(carried));
    return tag === undefined || count(excluded.W3, tag);
  });
  const ids = new Set(movements.map((movement) => movement.id));
  return { movements, excluded, scaled: (movement, level) => scale(movement, level, ids) };
}

/** Always false, so that a filter can count and drop in one word. */
function count(causes: Record<string, number>, cause: string): false {
  causes[cause] = (causes[cause] ?? 0) + 1;
  return false;
}

function scale(movement: Movement, level: Level, ids: ReadonlySet<string>): Movement {
  // The nearest relatives come first; the list grows while it is walked and ends with the links.
  const relatives: Movement[] = [movement];
  for (const relative of relatives) {
    if (relative.skillTier <= HIGHEST_TIER[level] && ids.has(relative.id)) return relative;
    relatives.push(...relative.regressions.flatMap((id) => MOVEMENT_BY_ID.get(id) ?? []));
  }
  throw new Error(`${movement.id} has no relative for ${level}, which checkCatalogue rules out`);
}
