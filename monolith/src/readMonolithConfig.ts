/** The configuration of the monolith. */
import {
  ConfigError,
  CRON_SECRET_VARIABLES,
  type Environment,
  httpUrl,
  oneOf,
  RUNTIME_SETTINGS,
  type RuntimeSettings,
  readServiceConfig,
  retentionFault,
  type ServiceConfig,
  type SettingName,
  secret,
  serviceVariables,
  text,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

/** The settings that the monolith applies. */
export type MonolithSetting = Exclude<SettingName, 'COACH_FAILURE_RATE'>;

export interface MonolithConfig extends ServiceConfig {
  /** Whoever knows it may make the first administrator; undefined: the first start makes one and keeps it in the file. */
  readonly bootstrapSecret: string | undefined;
  readonly bootstrapSecretFile: string;
  /** Secret of cron's account; undefined: the first start makes one and keeps it in the file, which is read again when it changes. */
  readonly cronSecret: string | undefined;
  readonly cronSecretFile: string;
  /** False: dead letters stay on the broker, where they can be looked at. */
  readonly isDeadLetterRecorderOn: boolean;
  /**
   * A job that did not change for longer than this is stale, in milliseconds; undefined: the longest retry path and a
   * margin, which `defaultStaleAfterMs` of jobs/ computes from the declaration.
   */
  readonly staleAfterMs: number | undefined;
  /** The settings that can be changed at run time, as the environment states them. */
  readonly settings: Pick<RuntimeSettings, MonolithSetting>;
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
  FIT_REGISTRATION: RUNTIME_SETTINGS.FIT_REGISTRATION,
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
  FIT_RELAY_SECONDS: RUNTIME_SETTINGS.FIT_RELAY_SECONDS,
  FIT_REPLAY_PER_SECOND: RUNTIME_SETTINGS.FIT_REPLAY_PER_SECOND,
  FIT_JOB_RETENTION_DAYS: RUNTIME_SETTINGS.FIT_JOB_RETENTION_DAYS,
  FIT_WORKOUT_RETENTION_DAYS: RUNTIME_SETTINGS.FIT_WORKOUT_RETENTION_DAYS,
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
  const fault = retentionFault(own);
  if (fault !== undefined)
    throw new ConfigError([
      `FIT_WORKOUT_RETENTION_DAYS='${own.FIT_WORKOUT_RETENTION_DAYS}' ${fault}`,
    ]);
  return {
    ...service,
    bootstrapSecret: own.FIT_BOOTSTRAP_SECRET,
    bootstrapSecretFile: own.FIT_BOOTSTRAP_SECRET_FILE,
    cronSecret: own.FIT_CRON_SECRET,
    cronSecretFile: own.FIT_CRON_SECRET_FILE,
    isDeadLetterRecorderOn: own.DEAD_LETTER_RECORDER === 'on',
    staleAfterMs: own.FIT_STALE_AFTER_MS,
    settings: {
      FIT_RELAY_SECONDS: own.FIT_RELAY_SECONDS,
      FIT_REPLAY_PER_SECOND: own.FIT_REPLAY_PER_SECOND,
      FIT_JOB_RETENTION_DAYS: own.FIT_JOB_RETENTION_DAYS,
      FIT_WORKOUT_RETENTION_DAYS: own.FIT_WORKOUT_RETENTION_DAYS,
      FIT_REGISTRATION: own.FIT_REGISTRATION,
    },
    prometheusUrl: own.PROMETHEUS_URL,
    alertmanagerUrl: own.ALERTMANAGER_URL,
  };
}
