/** When a schedule is due: its slots, and what to do with them at a moment. */
export { type Plan, planAt } from './planAt.ts';
export { ScheduleError, type Slot, Slots } from './slots.ts';
