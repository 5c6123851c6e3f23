/** What must hold of the catalogue, so that the generator need not doubt it. */

import type { Level } from './level.ts';
import { HIGHEST_TIER, LEVELS, LOAD_SHARE } from './level.ts';
import type { Movement } from './movement.ts';

/** Patterns that a beginner with no equipment and every tag excluded must still have (rule W9). */
const LEAST_SAFE_PATTERNS = 4;

/**
 * Lists every mistake; an empty list is a sound catalogue.
 *
 * The promise that matters most: from each movement, each level finds a regression within its
 * tier that needs no further equipment and carries no further tag. So scaling never fails, and a
 * member of any level can be handed the same Rx workout, scaled (rules W2, W7).
 */
export function checkCatalogue(movements: readonly Movement[]): readonly string[] {
  const byId = new Map(movements.map((movement) => [movement.id, movement]));
  const findings = movements.flatMap((movement) => [
    ...checkNumbers(movement),
    ...checkLinks(movement, byId),
  ]);
  if (byId.size !== movements.length) findings.push('an id occurs twice');
  if (safePatternCount(movements) < LEAST_SAFE_PATTERNS) {
    findings.push('too few patterns without equipment, tags and skill (W9)');
  }
  return findings;
}

function checkNumbers(movement: Movement): readonly string[] {
  const { id, amount, secondsPerUnit } = movement;
  const findings: string[] = [];
  if (!/^[a-z]+(-[a-z]+)*$/.test(id)) findings.push(`${id}: not a kebab-case id`);
  if (movement.name === '' || movement.cue === '') findings.push(`${id}: name or cue is empty`);
  if (amount.least < 1 || amount.most < amount.least) findings.push(`${id}: amounts not rising`);
  if (LEVELS.some((level) => !(secondsPerUnit[level] > 0))) findings.push(`${id}: no pace`);
  if (movement.strength === true && movement.loadKg === undefined) {
    findings.push(`${id}: a strength lift without load`);
  }
  return [...findings, ...checkLoad(movement)];
}

function checkLoad({ id, loadKg }: Movement): readonly string[] {
  if (loadKg === undefined) return [];
  return LEVELS.filter((level) => {
    const share = loadKg[level] / loadKg.rx;
    return !(share >= LOAD_SHARE[level].least && share <= LOAD_SHARE[level].most);
  }).map((level) => `${id}: ${level} load is outside its share of Rx (W7)`);
}

function checkLinks(movement: Movement, byId: ReadonlyMap<string, Movement>): readonly string[] {
  const { id, regressions } = movement;
  const unknown = regressions.filter((link) => !byId.has(link));
  if (unknown.length > 0) return unknown.map((link) => `${id}: unknown regression ${link}`);
  // Strictly downwards, so the links cannot form a ring.
  const easier = regressions.filter(
    (link) => (byId.get(link)?.skillTier ?? Infinity) < movement.skillTier,
  );
  if (easier.length < regressions.length) return [`${id}: a regression is not easier`];
  return LEVELS.filter((level) => !scalesTo(movement, level, byId)).map(
    (level) => `${id}: no substitute for ${level} within its own equipment and tags`,
  );
}

function scalesTo(movement: Movement, level: Level, byId: ReadonlyMap<string, Movement>): boolean {
  // The list grows while it is walked; links lead downwards, so it ends.
  const relatives: Movement[] = [movement];
  for (const relative of relatives) {
    const fits =
      relative.skillTier <= HIGHEST_TIER[level] &&
      relative.equipment.every((item) => movement.equipment.includes(item)) &&
      relative.tags.every((tag) => movement.tags.includes(tag));
    if (fits) return true;
    relatives.push(...relative.regressions.flatMap((link) => byId.get(link) ?? []));
  }
  return false;
}

function safePatternCount(movements: readonly Movement[]): number {
  const safe = movements.filter(
    ({ equipment, tags, skillTier }) =>
      equipment.length === 0 && tags.length === 0 && skillTier === 1,
  );
  return new Set(safe.map((movement) => movement.pattern)).size;
}
