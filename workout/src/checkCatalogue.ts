/** The conditions on the catalogue that the generator relies on. */

import type { Movement } from './movement.ts';
import type { Level } from './user.ts';
import { HIGHEST_SKILL_LEVEL, LEVELS, LOAD_SHARE } from './user.ts';

/** The least number of patterns for a beginner without equipment who excludes every tag (rule W9). */
const SAFE_PATTERNS_MIN = 4;

/**
 * @returns every fault; empty for a correct catalogue.
 *
 * The most important condition: for each movement each level has a replacement within its skill that needs no further equipment and has no
 * further tag. Scaling therefore never fails, and a user of any level can get the same Rx workout, scaled (rules W2, W7).
 */
export function checkCatalogue(movements: readonly Movement[]): readonly string[] {
  const byId = new Map(movements.map((movement) => [movement.id, movement]));
  const findings = movements.flatMap((movement) => [
    ...checkNumbers(movement),
    ...checkLinks(movement, byId),
  ]);
  if (byId.size !== movements.length) findings.push('an id occurs twice');
  if (safePatternCount(movements) < SAFE_PATTERNS_MIN) {
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
  // A regression must be strictly easier, so that the links cannot form a cycle.
  const easier = regressions.filter(
    (link) => (byId.get(link)?.skillLevel ?? Infinity) < movement.skillLevel,
  );
  if (easier.length < regressions.length) return [`${id}: a regression is not easier`];
  return LEVELS.filter((level) => !hasReplacement(movement, level, byId)).map(
    (level) => `${id}: no substitute for ${level} within its own equipment and tags`,
  );
}

function hasReplacement(
  movement: Movement,
  level: Level,
  byId: ReadonlyMap<string, Movement>,
): boolean {
  // A breadth-first search: the list grows in the loop, and ends because a regression is always easier.
  const candidates: Movement[] = [movement];
  for (const candidate of candidates) {
    const fits =
      candidate.skillLevel <= HIGHEST_SKILL_LEVEL[level] &&
      candidate.equipment.every((item) => movement.equipment.includes(item)) &&
      candidate.tags.every((tag) => movement.tags.includes(tag));
    if (fits) return true;
    candidates.push(...candidate.regressions.flatMap((link) => byId.get(link) ?? []));
  }
  return false;
}

function safePatternCount(movements: readonly Movement[]): number {
  const safe = movements.filter(
    ({ equipment, tags, skillLevel }) =>
      equipment.length === 0 && tags.length === 0 && skillLevel === 1,
  );
  return new Set(safe.map((movement) => movement.pattern)).size;
}
