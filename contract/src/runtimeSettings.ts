/** The settings that an administrator can change while everything runs. Each has the name and the bounds of its variable. */
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { decimalNumber, oneOf, wholeNumber } from './environment.ts';

export const RUNTIME_SETTINGS = {
  COACH_FAILURE_RATE: decimalNumber({
    default: 0,
    minimum: 0,
    maximum: 1,
    description: 'share of attempts that fail on purpose',
  }),
  FIT_RELAY_SECONDS: wholeNumber({
    default: 5,
    minimum: 1,
    maximum: 300,
    unit: 'seconds',
    description:
      'work that the relay keeps in a main queue at the present speed of its workers; never more than half of its limit',
  }),
  FIT_REPLAY_PER_SECOND: wholeNumber({
    default: 10,
    minimum: 1,
    maximum: 1_000,
    unit: 'jobs each second',
    description: 'pace of a replay that states none',
  }),
  FIT_JOB_RETENTION_DAYS: wholeNumber({
    default: 30,
    minimum: 1,
    maximum: 3_650,
    unit: 'days',
    description:
      'jobs are deleted this long after the end of their run; a job that has not ended stays',
  }),
  FIT_WORKOUT_RETENTION_DAYS: wholeNumber({
    default: 365,
    minimum: 1,
    maximum: 3_650,
    unit: 'days',
    description:
      'workouts and runs are deleted this long after the end of the run; not less than FIT_JOB_RETENTION_DAYS',
  }),
  FIT_REGISTRATION: oneOf(['open', 'closed'], {
    description: '`closed`: only administrators make accounts',
  }),
} as const;

export type RuntimeSettings = Readonly<Static<Type.TObject<typeof RUNTIME_SETTINGS>>>;
export type SettingName = keyof RuntimeSettings;

export const SETTING_NAMES = Object.keys(RUNTIME_SETTINGS) as readonly SettingName[];

/** @returns whether the value is within the bounds of the setting. */
export function isSettingValue<Name extends SettingName>(
  name: Name,
  value: unknown,
): value is RuntimeSettings[Name] {
  return Value.Check(RUNTIME_SETTINGS[name], value);
}

/** @returns what is wrong with the settings together, as the rest of a sentence after the value of FIT_WORKOUT_RETENTION_DAYS. */
export function retentionFault({
  FIT_JOB_RETENTION_DAYS: jobDays,
  FIT_WORKOUT_RETENTION_DAYS: workoutDays,
}: Pick<RuntimeSettings, 'FIT_JOB_RETENTION_DAYS' | 'FIT_WORKOUT_RETENTION_DAYS'>):
  | string
  | undefined {
  return workoutDays >= jobDays
    ? undefined
    : `must be at least FIT_JOB_RETENTION_DAYS (${jobDays}), because a job must not outlive its workout`;
}
