/** The Rx workout before scaling: format, setting and movements, the same at any level. */

import type { Draw, Frame } from './drawMovements.ts';
import { drawMovements } from './drawMovements.ts';
import { FORMATS } from './format.ts';
import type { Pool } from './memberPool.ts';
import type { Random } from './random.ts';

export interface Plan extends Draw {
  readonly frame: Frame;
  /** Formats that came up first and found too few movements. */
  readonly fallback: readonly string[];
}

/** Takes the first format, in drawn order, for which the pool has enough movements. */
export function planDay(random: Random, pool: Pool): Plan {
  const fallback: string[] = [];
  for (const format of random.shuffled(FORMATS)) {
    const frame: Frame = {
      format,
      setting: random.pick(format.settings),
      movementCount: random.pick(format.movementCounts),
    };
    const draw = drawMovements(random, pool, frame);
    if (draw.movements.length === frame.movementCount) return { ...draw, frame, fallback };
    fallback.push(`${format.id}: too few movements`);
  }
  throw new Error('No format found enough movements, which checkCatalogue rules out (W9)');
}
