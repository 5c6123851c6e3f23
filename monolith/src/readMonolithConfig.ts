/** The configuration of the monolith. */
import {
  ADMIN_TOKEN_VARIABLES,
  type Environment,
  httpUrl,
  oneOf,
  readServiceConfig,
  type ServiceConfig,
  serviceVariables,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

export interface MonolithConfig extends ServiceConfig {
  /** The bearer token of the admin routes; undefined: the first start makes one and keeps it in `adminTokenFile`. */
  readonly adminToken: string | undefined;
  readonly adminTokenFile: string;
  /** False: dead letters stay on the broker, where they can be looked at. */
  readonly isDeadLetterRecorderOn: boolean;
  /**
   * A job that did not change for longer than this is stale, in milliseconds; undefined: the longest retry path and a
   * margin, which `defaultStaleAfterMs` of jobs/ computes from the declaration.
   */
  readonly staleAfterMs: number | undefined;
  /** The server that the status reads the firing alerts from. */
  readonly prometheusUrl: string;
  /** The server that the status reads the suppressed alerts from; undefined: none counts as suppressed. */
  readonly alertmanagerUrl: string | undefined;
}

/** Every variable that the monolith reads, with default, bound and documentation. */
export const MONOLITH_VARIABLES = Type.Object({
  ...serviceVariables({ port: 12_100, metricsPort: 12_111 }),
  ...ADMIN_TOKEN_VARIABLES,
  DEAD_LETTER_RECORDER: oneOf(['on', 'off'], {
    description: '`off`: dead letters stay on the broker, where they can be looked at',
  }),
  FIT_STALE_AFTER_MS: Type.Optional(
    wholeNumber({
      minimum: 1_000,
      maximum: 86_400_000,
      unit: 'milliseconds (unset: longest retry path + 30 s)',
      description: 'a job without a change for longer is stale; the reconciler publishes it again',
    }),
  ),
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
  return {
    ...service,
    adminToken: own.FIT_ADMIN_TOKEN,
    adminTokenFile: own.FIT_ADMIN_TOKEN_FILE,
    isDeadLetterRecorderOn: own.DEAD_LETTER_RECORDER === 'on',
    staleAfterMs: own.FIT_STALE_AFTER_MS,
    prometheusUrl: own.PROMETHEUS_URL,
    alertmanagerUrl: own.ALERTMANAGER_URL,
  };
}
