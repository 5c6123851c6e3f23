/**
 * Which movements go together in one Rx workout. Each is accepted only if it fits at every level
 * once scaled, so that one draw serves all levels and scaling cannot undo a rule.
 */
import type { Format, Setting } from './format.ts';
import type { Level } from './level.ts';
import { HIGH_SKILL_TIER, LEVELS } from './level.ts';
import type { Pool } from './memberPool.ts';
import type { Movement } from './movement.ts';
import { setSeconds } from './movement.ts';
import type { Random } from './random.ts';

export interface Frame {
  readonly format: Format;
  readonly setting: Setting;
  readonly movementCount: number;
}

export interface Draw {
  readonly movements: readonly Movement[];
  /** Movements that came up and were not taken, counted by cause. */
  readonly passedOver: Readonly<Record<string, number>>;
}

/** May return fewer movements than the frame asks for: the pool has no more that go together. */
export function drawMovements(random: Random, pool: Pool, frame: Frame): Draw {
  const movements: Movement[] = [];
  const passedOver: Record<string, number> = {};
  for (const movement of random.shuffled(pool.movements)) {
    if (movements.length === frame.movementCount) break;
    const cause = causeAgainst(movement);
    if (cause === undefined) movements.push(movement);
    else passedOver[cause] = (passedOver[cause] ?? 0) + 1;
  }
  return { movements, passedOver };

  function causeAgainst(movement: Movement): string | undefined {
    for (const level of LEVELS) {
      const scaled = pool.scaled(movement, level);
      if (!suits(scaled, level, frame)) return `not for ${frame.format.id}`;
      const clash = clashWith(
        scaled,
        movements.map((chosen) => pool.scaled(chosen, level)),
      );
      if (clash !== undefined) return clash;
    }
    return undefined;
  }
}

/** Whether a format takes the movement, and its smallest set fits the work aimed at. */
function suits(movement: Movement, level: Level, { format, setting }: Frame): boolean {
  const fits = setSeconds(movement, movement.amount.least, level) <= setting.workSeconds;
  switch (format.accepts) {
    case 'lift':
      return movement.strength === true;
    case 'quick':
      return fits && movement.unit === 'reps' && movement.loadKg === undefined;
    case 'any':
      return fits;
  }
}

function clashWith(movement: Movement, chosen: readonly Movement[]): string | undefined {
  const both = (holds: (one: Movement) => boolean): boolean =>
    holds(movement) && chosen.some(holds);
  if (both((one) => one.skillTier >= HIGH_SKILL_TIER)) return 'W4 high-skill';
  if (both((one) => one.tags.includes('grip-heavy'))) return 'W4 grip-heavy';
  if (both((one) => one.modality === 'M')) return 'second cardio';
  if (chosen.some((other) => other.pattern === movement.pattern)) return 'same pattern';
  // Two loads on one barbell would mean changing plates in every round.
  const reset = chosen.some((other) => other.equipment.some(isLoadedBy(movement)));
  return reset ? 'same implement' : undefined;
}

function isLoadedBy(movement: Movement): (item: Movement['equipment'][number]) => boolean {
  return (item) => movement.loadKg !== undefined && movement.equipment.includes(item);
}
