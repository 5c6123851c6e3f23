/** The part of a profile that a workout depends on, read as of the job record. */
import type { Equipment } from './equipment.ts';
import type { Level } from './level.ts';
import type { Tag } from './tag.ts';

export interface Member {
  readonly userId: string;
  readonly level: Level;
  /** Empty is bodyweight only; order and repeats do not matter. */
  readonly equipment: readonly Equipment[];
  /** Tags that no movement may carry; absent or empty excludes nothing. */
  readonly exclusions?: readonly Tag[];
}
