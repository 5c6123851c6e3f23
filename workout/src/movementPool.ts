/** The movements that a user may get, and how many are excluded by missing equipment (W1) and by tags (W3). */
import type { Movement } from './movement.ts';
import { CATALOGUE } from './movementCatalogue.ts';
import type { Level, User } from './user.ts';
import { EQUIPMENT, EXCLUSIONS, HIGHEST_SKILL_LEVEL, LEVELS } from './user.ts';

/** A movement that may be drawn. */
export interface PoolMovement {
  readonly original: Movement;
  /** For each level the movement itself, or its nearest easier replacement in the pool (rule W2). */
  readonly scaled: Readonly<Record<Level, Movement>>;
}

export interface MovementPool {
  /** Sorted by id, never empty, and the same for every level: a movement above the level is replaced, not excluded. */
  readonly movements: readonly PoolMovement[];
  /** The number of movements excluded by each missing piece of equipment and by each tag. */
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
}

/** The largest number of pools in memory, each of up to 4 kB. There are 32,768 profiles. */
const POOLS_MAX = 1000;

/** Pools by profile, the oldest first. Many users have the same profile, and a pool costs as much as the rest of a workout. */
const pools = new Map<number, MovementPool>();

export function movementPool(user: User): MovementPool {
  const profile = profileOf(user);
  const known = pools.get(profile);
  if (known !== undefined) return known;
  const pool = makePool(profile);
  const [oldest = profile] = pools.size < POOLS_MAX ? [] : pools.keys();
  pools.delete(oldest);
  pools.set(profile, pool);
  return pool;
}

/** A bit for each piece of equipment and each exclusion. A profile has those of what the user owns and excludes. */
const BITS: ReadonlyMap<string, number> = new Map(
  [...EQUIPMENT, ...EXCLUSIONS].map((item, index) => [item, 1 << index]),
);

/** @returns the bits of the items; an unknown one has none. */
function bitsOf(items: readonly string[]): number {
  let bits = 0;
  for (const item of items) bits |= BITS.get(item) ?? 0;
  return bits;
}

function profileOf({ equipment, exclusions }: User): number {
  return bitsOf(equipment) | (exclusions === undefined ? 0 : bitsOf(exclusions));
}

/** A movement of the catalogue with what a pool needs to know of it. */
interface Entry {
  readonly movement: Movement;
  readonly equipment: number;
  readonly tags: number;
  /** What the pool takes if every level can do the movement itself; undefined if a level needs a replacement. */
  readonly unscaled: PoolMovement | undefined;
}

const ENTRIES: readonly Entry[] = CATALOGUE.map((movement) => ({
  movement,
  equipment: bitsOf(movement.equipment),
  tags: bitsOf(movement.tags),
  unscaled: LEVELS.every((level) => movement.skillLevel <= HIGHEST_SKILL_LEVEL[level])
    ? { original: movement, scaled: { beginner: movement, intermediate: movement, rx: movement } }
    : undefined,
}));

const ENTRY_BY_ID: ReadonlyMap<string, Entry> = new Map(
  ENTRIES.map((entry) => [entry.movement.id, entry]),
);

function makePool(profile: number): MovementPool {
  const movements: PoolMovement[] = [];
  const excluded: Record<'W1' | 'W3', Record<string, number>> = { W1: {}, W3: {} };
  for (const entry of ENTRIES) {
    if (isOpen(entry, profile))
      movements.push(entry.unscaled ?? scaledAtEveryLevel(entry, profile));
    else countExcluded(excluded, entry.movement, profile);
  }
  // Every workout of the profile refers to these objects.
  for (const counts of [excluded.W1, excluded.W3, excluded]) Object.freeze(counts);
  return { movements, excluded };
}

function isOpen({ equipment, tags }: Entry, profile: number): boolean {
  return (equipment & ~profile) === 0 && (tags & profile) === 0;
}

/** Counts the movement once: for the first piece of equipment that is missing, or else for the first tag that is excluded. */
function countExcluded(
  excluded: Readonly<Record<'W1' | 'W3', Record<string, number>>>,
  movement: Movement,
  profile: number,
): void {
  const missing = movement.equipment.find((item) => (bitsOf([item]) & profile) === 0);
  const counts = missing === undefined ? excluded.W3 : excluded.W1;
  const cause = missing ?? movement.tags.find((tag) => (bitsOf([tag]) & profile) !== 0) ?? '';
  counts[cause] = (counts[cause] ?? 0) + 1;
}

function scaledAtEveryLevel(entry: Entry, profile: number): PoolMovement {
  const scaled = {
    beginner: scale(entry, 'beginner', profile),
    intermediate: scale(entry, 'intermediate', profile),
    rx: scale(entry, 'rx', profile),
  };
  return { original: entry.movement, scaled };
}

function scale(entry: Entry, level: Level, profile: number): Movement {
  const highest = HIGHEST_SKILL_LEVEL[level];
  if (entry.movement.skillLevel <= highest) return entry.movement;
  // A breadth-first search: the list grows in the loop, and ends because a regression is always easier.
  const candidates = [entry];
  for (const candidate of candidates) {
    if (candidate.movement.skillLevel <= highest && isOpen(candidate, profile))
      return candidate.movement;
    for (const id of candidate.movement.regressions) {
      const easier = ENTRY_BY_ID.get(id);
      if (easier !== undefined) candidates.push(easier);
    }
  }
  const { id } = entry.movement;
  throw new Error(`${id} has no replacement for ${level}, which checkCatalogue rules out`);
}
