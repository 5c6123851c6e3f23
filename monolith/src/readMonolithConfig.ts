/** The configuration of the monolith. */
import {
  ConfigError,
  CRON_SECRET_VARIABLES,
  type Environment,
  httpUrl,
  oneOf,
  readServiceConfig,
  type ServiceConfig,
  secret,
  serviceVariables,
  text,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

export interface MonolithConfig extends ServiceConfig {
  /** Whoever knows it may make the first administrator; undefined: the first start makes one and keeps it in the file. */
  readonly bootstrapSecret: string | undefined;
  readonly bootstrapSecretFile: string;
  /** Secret of cron's account; undefined: the first start makes one and keeps it in the file, which is read again when it changes. */
  readonly cronSecret: string | undefined;
  readonly cronSecretFile: string;
  /** Whether everybody may register as a member. */
  readonly isRegistrationOpen: boolean;
  /** False: dead letters stay on the broker, where they can be looked at. */
  readonly isDeadLetterRecorderOn: boolean;
  /**
   * A job that did not change for longer than this is stale, in milliseconds; undefined: the longest retry path and a
   * margin, which `defaultStaleAfterMs` of jobs/ computes from the declaration.
   */
  readonly staleAfterMs: number | undefined;
  /** Jobs are deleted this many days after the end of their run. */
  readonly jobRetentionDays: number;
  /** Workouts and runs are deleted this many days after the end of the run; not less than `jobRetentionDays`. */
  readonly workoutRetentionDays: number;
  /** The server that the status reads the firing alerts from. */
  readonly prometheusUrl: string;
  /** The server that the status reads the suppressed alerts from; undefined: none counts as suppressed. */
  readonly alertmanagerUrl: string | undefined;
}

/** Every variable that the monolith reads, with default, bound and documentation. */
export const MONOLITH_VARIABLES = Type.Object({
  ...serviceVariables({ port: 12_100, metricsPort: 12_111 }),
  FIT_BOOTSTRAP_SECRET: Type.Optional(
    secret({
      unit: '32 to 1,024 random characters',
      description:
        'whoever sends it may make the first administrator, once; unset: the one in `FIT_BOOTSTRAP_SECRET_FILE`',
    }),
  ),
  FIT_BOOTSTRAP_SECRET_FILE: text({
    default: '.fit/bootstrap-secret',
    unit: 'path',
    description: 'file of this secret; the monolith makes it at its first start',
  }),
  ...CRON_SECRET_VARIABLES,
  FIT_REGISTRATION: oneOf(['open', 'closed'], {
    description: '`closed`: only administrators make accounts',
  }),
  DEAD_LETTER_RECORDER: oneOf(['on', 'off'], {
    description: '`off`: dead letters stay on the broker, where they can be looked at',
  }),
  FIT_STALE_AFTER_MS: Type.Optional(
    wholeNumber({
      minimum: 1_000,
      maximum: 86_400_000,
      unit: 'milliseconds (unset: longest retry path + 30 s)',
      description:
        'a job without a change for longer is stale; the reconciler publishes it again if no worker has it in hand and its message is missing',
    }),
  ),
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
  PROMETHEUS_URL: httpUrl({
    default: 'http://127.0.0.1:12107',
    description: 'the status page asks this server which alerts fire',
  }),
  ALERTMANAGER_URL: Type.Optional(
    httpUrl({
      description: 'the status page asks this server which alerts are suppressed; unset: none is',
    }),
  ),
});

/** @throws ConfigError with every finding. */
export function readMonolithConfig(env: Environment): MonolithConfig {
  const { service, own } = readServiceConfig(MONOLITH_VARIABLES, env);
  const { FIT_JOB_RETENTION_DAYS: jobDays, FIT_WORKOUT_RETENTION_DAYS: workoutDays } = own;
  if (workoutDays < jobDays)
    throw new ConfigError([
      `FIT_WORKOUT_RETENTION_DAYS='${workoutDays}' must be at least FIT_JOB_RETENTION_DAYS (${jobDays}), because a job must not outlive its workout`,
    ]);
  return {
    ...service,
    bootstrapSecret: own.FIT_BOOTSTRAP_SECRET,
    bootstrapSecretFile: own.FIT_BOOTSTRAP_SECRET_FILE,
    cronSecret: own.FIT_CRON_SECRET,
    cronSecretFile: own.FIT_CRON_SECRET_FILE,
    isRegistrationOpen: own.FIT_REGISTRATION === 'open',
    isDeadLetterRecorderOn: own.DEAD_LETTER_RECORDER === 'on',
    staleAfterMs: own.FIT_STALE_AFTER_MS,
    jobRetentionDays: jobDays,
    workoutRetentionDays: workoutDays,
    prometheusUrl: own.PROMETHEUS_URL,
    alertmanagerUrl: own.ALERTMANAGER_URL,
  };
}
