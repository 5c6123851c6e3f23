/** The monolith's configuration. */
import {
  type Environment,
  httpUrl,
  oneOf,
  readServiceConfig,
  SECRET,
  type ServiceConfig,
  serviceVariables,
  text,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

export interface MonolithConfig extends ServiceConfig {
  /** Undefined: one is made at the first start and kept in `adminTokenFile`. */
  readonly adminToken: string | undefined;
  readonly adminTokenFile: string;
  /** Off: letters stay on the broker, to be looked at. */
  readonly isIntakeOn: boolean;
  /** Silence after which a job may be lost; undefined: the longest retry path and a margin. */
  readonly reconcileAfterMs: number | undefined;
  /** Asked what fires, for the status. */
  readonly prometheusUrl: string;
  /** Asked what is muted; undefined: nobody is. */
  readonly alertmanagerUrl: string | undefined;
}

const MONOLITH_VARIABLES = Type.Object({
  ...serviceVariables({ port: 12_100, metricsPort: 12_111 }),
  FIT_ADMIN_TOKEN: SECRET,
  FIT_ADMIN_TOKEN_FILE: text('.fit/admin-token'),
  DEAD_LETTER_INTAKE: oneOf(['on', 'off']),
  FIT_RECONCILE_AFTER_MS: Type.Optional(wholeNumber({ minimum: 1_000, maximum: 86_400_000 })),
  PROMETHEUS_URL: httpUrl('http://127.0.0.1:12107'),
  ALERTMANAGER_URL: Type.Optional(httpUrl()),
});

/** @throws ConfigError with every finding at once. */
export function readMonolithConfig(env: Environment): MonolithConfig {
  const { service, own } = readServiceConfig(MONOLITH_VARIABLES, env);
  return {
    ...service,
    adminToken: own.FIT_ADMIN_TOKEN,
    adminTokenFile: own.FIT_ADMIN_TOKEN_FILE,
    isIntakeOn: own.DEAD_LETTER_INTAKE === 'on',
    reconcileAfterMs: own.FIT_RECONCILE_AFTER_MS,
    prometheusUrl: own.PROMETHEUS_URL,
    alertmanagerUrl: own.ALERTMANAGER_URL,
  };
}
