/** The monolith's configuration. */
import {
  type Environment,
  EnvironmentReader,
  readServiceConfig,
  SECRET_REMEDY,
  type ServiceConfig,
  weaknessOfSecret,
} from '@fit/contract';

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

const HTTP = ['http:', 'https:'];

/** @throws ConfigError naming every fault. */
export function readMonolithConfig(env: Environment): MonolithConfig {
  const reader = new EnvironmentReader(env);
  const adminToken = reader.optional('FIT_ADMIN_TOKEN');
  const weakness = adminToken === undefined ? undefined : weaknessOfSecret(adminToken);
  if (weakness !== undefined) reader.refuse(`FIT_ADMIN_TOKEN ${weakness}; ${SECRET_REMEDY}`);
  const config = {
    ...readServiceConfig(reader, { port: 12_100, metricsPort: 12_111 }),
    adminToken,
    adminTokenFile: reader.text('FIT_ADMIN_TOKEN_FILE', '.fit/admin-token'),
    isIntakeOn: reader.choice('DEAD_LETTER_INTAKE', ['on', 'off']) === 'on',
    reconcileAfterMs:
      reader.optional('FIT_RECONCILE_AFTER_MS') === undefined
        ? undefined
        : reader.number('FIT_RECONCILE_AFTER_MS', 0, { min: 1_000, max: 86_400_000 }),
    prometheusUrl: reader.url('PROMETHEUS_URL', 'http://127.0.0.1:12107', HTTP),
    alertmanagerUrl:
      reader.optional('ALERTMANAGER_URL') === undefined
        ? undefined
        : reader.url('ALERTMANAGER_URL', '', HTTP),
  };
  reader.finish();
  return config;
}
