/** What a daily trigger does at a moment: which slot it asks for, and which one it waits for. */
import type { Slot, Slots } from './slots.ts';

export interface Plan {
  /** The last slot, where it is recent enough to be asked for now. Slots before it are never asked for. */
  readonly due: Slot | undefined;
  /** The last slot, where it is older than that. */
  readonly tooOld: Slot | undefined;
  /** Undefined where the schedule is over. */
  readonly next: Slot | undefined;
}

/**
 * @param windowMs milliseconds: how long ago a slot may have been to be asked for; 0: none is.
 */
export function planAt(slots: Slots, now: Date, windowMs: number): Plan {
  const last = slots.last(now);
  const isRecent =
    last !== undefined && windowMs > 0 && now.getTime() - last.at.getTime() <= windowMs;
  return {
    due: isRecent ? last : undefined,
    tooOld: isRecent ? undefined : last,
    next: slots.next(now),
  };
}
