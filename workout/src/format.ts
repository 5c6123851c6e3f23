/** The workout formats as data: bounds, score, and the movements that each format accepts. */
import type { Unit } from './movement.ts';
import { sortedById } from './random.ts';
import type { Target } from './workout.ts';

export type FormatId = 'amrap' | 'emom' | 'for-time' | 'intervals' | 'strength' | 'tabata';

export type ScoreType = 'time' | 'rounds + reps' | 'reps' | 'load' | 'completion';

/** One variant of a format; the generator draws one of them. */
export interface Setting {
  /** The intended duration; the duration of Tabata follows from its number of movements instead. */
  readonly aimSeconds: number;
  /** The intended work of one set of one movement. */
  readonly workSeconds: number;
  /** Sets (strength, Tabata) or intervals; absent if they follow from the pace. */
  readonly rounds?: number;
  /** Reps in one set (strength). */
  readonly reps?: number;
}

export interface Format {
  readonly id: FormatId;
  readonly name: string;
  readonly scoreType: ScoreType;
  readonly targetUnit: Target['unit'];
  /** The unit of every amount; absent if each movement has its own. */
  readonly amountUnit?: Unit;
  /** The possible numbers of movements; a number that is listed twice is twice as likely. */
  readonly movementCounts: readonly [number, ...number[]];
  readonly boundSeconds: Readonly<{ least: number; most: number }>;
  /** `quick`: movements without load that are counted in reps; `lift`: strength lifts. */
  readonly accepts: 'any' | 'quick' | 'lift';
  readonly settings: readonly [Setting, ...Setting[]];
  readonly intent: string;
}

const MINUTE = 60;

/** Sorted by id. The settings are first estimatees, to be reviewed by a trainer. */
export const FORMATS: readonly Format[] = sortedById<Format>([
  {
    id: 'amrap',
    name: 'AMRAP',
    scoreType: 'rounds + reps',
    targetUnit: 'rounds',
    movementCounts: [2, 3, 3, 4],
    boundSeconds: { least: 8 * MINUTE, most: 25 * MINUTE },
    accepts: 'any',
    settings: [
      { aimSeconds: 8 * MINUTE, workSeconds: 30 },
      { aimSeconds: 10 * MINUTE, workSeconds: 30 },
      { aimSeconds: 12 * MINUTE, workSeconds: 40 },
      { aimSeconds: 15 * MINUTE, workSeconds: 40 },
      { aimSeconds: 20 * MINUTE, workSeconds: 50 },
      { aimSeconds: 24 * MINUTE, workSeconds: 60 },
    ],
    intent: 'A pace you can hold from the first round to the last.',
  },
  {
    id: 'emom',
    name: 'EMOM',
    scoreType: 'completion',
    targetUnit: 'rounds',
    movementCounts: [2, 3, 4],
    boundSeconds: { least: 10 * MINUTE, most: 30 * MINUTE },
    accepts: 'any',
    settings: [
      { aimSeconds: 12 * MINUTE, workSeconds: 40 },
      { aimSeconds: 16 * MINUTE, workSeconds: 40 },
      { aimSeconds: 20 * MINUTE, workSeconds: 35 },
    ],
    intent: 'Steady work: every minute leaves you time to breathe.',
  },
  {
    id: 'for-time',
    name: 'For time',
    scoreType: 'time',
    targetUnit: 'seconds',
    movementCounts: [2, 3, 3],
    boundSeconds: { least: 4 * MINUTE, most: 30 * MINUTE },
    accepts: 'any',
    settings: [
      { aimSeconds: 8 * MINUTE, workSeconds: 30 },
      { aimSeconds: 12 * MINUTE, workSeconds: 45 },
      { aimSeconds: 15 * MINUTE, workSeconds: 50 },
      { aimSeconds: 24 * MINUTE, workSeconds: 75 },
    ],
    intent: 'Fast but even; short planned breaks, never to failure.',
  },
  {
    id: 'intervals',
    name: 'Intervals',
    scoreType: 'time',
    targetUnit: 'seconds',
    movementCounts: [2],
    boundSeconds: { least: 8 * MINUTE, most: 25 * MINUTE },
    accepts: 'any',
    settings: [
      { aimSeconds: 12 * MINUTE, workSeconds: 35, rounds: 6 },
      { aimSeconds: 15 * MINUTE, workSeconds: 52, rounds: 5 },
      { aimSeconds: 16 * MINUTE, workSeconds: 70, rounds: 4 },
    ],
    intent: 'Hard in each window, rested for the next; equal times throughout.',
  },
  {
    id: 'strength',
    name: 'Strength',
    scoreType: 'load',
    targetUnit: 'kg',
    movementCounts: [1],
    boundSeconds: { least: 10 * MINUTE, most: 20 * MINUTE },
    accepts: 'lift',
    settings: [
      { aimSeconds: 14 * MINUTE, workSeconds: 90, rounds: 5, reps: 5 },
      { aimSeconds: 14 * MINUTE, workSeconds: 90, rounds: 5, reps: 6 },
      { aimSeconds: 13 * MINUTE, workSeconds: 90, rounds: 4, reps: 8 },
    ],
    intent: 'Heavy and clean: add a little each set while every rep looks the same.',
  },
  {
    id: 'tabata',
    name: 'Tabata',
    scoreType: 'reps',
    targetUnit: 'reps',
    amountUnit: 'seconds',
    movementCounts: [2, 3, 4],
    boundSeconds: { least: 4 * MINUTE, most: 20 * MINUTE },
    accepts: 'quick',
    settings: [{ aimSeconds: 9 * MINUTE, workSeconds: 20, rounds: 8 }],
    intent: 'Short and sharp: keep the last interval within two reps of the first.',
  },
]);
