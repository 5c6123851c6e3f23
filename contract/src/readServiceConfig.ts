/** What monolith and coach read alike, and the tools that speak to the same servers. */
import Type, { type Static, type TObject } from 'typebox';
import {
  ConfigError,
  checkEnvironment,
  checkedText,
  type Environment,
  httpUrl,
  oneOf,
  parseEnvironment,
  problemOfAmqpUrl,
  problemOfHost,
  problemOfMongodbUrl,
  problemOfTimezone,
  wholeNumber,
} from './environment.ts';
import type { FitDeclaration } from './fitTopology.ts';
import { readFitTopology, TOPOLOGY_VARIABLES } from './readFitTopology.ts';

export interface ServiceConfig {
  readonly amqpUrl: string;
  /** Undefined: limits are queue arguments instead of policies. */
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Whose day `today` is: that of the daily run. */
  readonly timezone: string;
  readonly declaration: FitDeclaration;
}

/** The levels of a log; the first is the default. */
export const LOG_LEVELS = ['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'] as const;

export const ANY_PORT = { minimum: 0, maximum: 65_535 };

/** The servers, and the address where a process listens. */
const SERVER_VARIABLES = {
  AMQP_URL: checkedText(problemOfAmqpUrl, {
    default: 'amqp://guest:guest@127.0.0.1:12104',
    show: 'url',
  }),
  AMQP_MANAGEMENT_URL: Type.Optional(httpUrl()),
  MONGODB_URL: checkedText(problemOfMongodbUrl, {
    default: 'mongodb://127.0.0.1:12106/fit',
    show: 'url',
  }),
};

/** Whose day is today, in every process. */
export const TIMEZONE = checkedText(problemOfTimezone, { default: 'UTC' });

export const HOST = checkedText(problemOfHost, { default: '127.0.0.1' });

/** @returns the servers' URLs, for the tools that need nothing else. @throws ConfigError with every finding. */
export function readServerUrls(env: Environment): {
  readonly amqpUrl: string;
  readonly mongodbUrl: string;
} {
  const value = parseEnvironment(Type.Object(SERVER_VARIABLES), env);
  return { amqpUrl: value.AMQP_URL, mongodbUrl: value.MONGODB_URL };
}

/** Whatever else OpenTelemetry reads is checked by OpenTelemetry. */
export const TRACING_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(httpUrl()),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Type.Optional(httpUrl()),
};

/**
 * The variables of every service.
 * @param ports defaults of PORT and METRICS_PORT; 0 picks a free one.
 */
export function serviceVariables(ports: { readonly port: number; readonly metricsPort: number }) {
  return {
    ...SERVER_VARIABLES,
    ...TOPOLOGY_VARIABLES,
    ...TRACING_VARIABLES,
    HOST,
    PORT: wholeNumber({ default: ports.port, ...ANY_PORT }),
    METRICS_PORT: wholeNumber({ default: ports.metricsPort, ...ANY_PORT }),
    CRON_TIMEZONE: TIMEZONE,
    LOG_LEVEL: oneOf(LOG_LEVELS),
  };
}

type ServiceVariables = ReturnType<typeof serviceVariables>;

/**
 * Checks a service's whole environment at once, its own variables included.
 * @throws ConfigError with every finding.
 */
export function readServiceConfig<Own extends ServiceVariables>(
  schema: TObject<Own>,
  env: Environment,
): { readonly service: ServiceConfig; readonly own: Static<TObject<Own>> } {
  const { value, findings } = checkEnvironment(schema, env);
  const shared = value as Static<TObject<ServiceVariables>>;
  if (findings.length > 0) throw new ConfigError(findings);
  return {
    service: {
      amqpUrl: shared.AMQP_URL,
      managementUrl: shared.AMQP_MANAGEMENT_URL,
      mongodbUrl: shared.MONGODB_URL,
      host: shared.HOST,
      port: shared.PORT,
      metricsPort: shared.METRICS_PORT,
      timezone: shared.CRON_TIMEZONE,
      declaration: readFitTopology(env),
    },
    own: value,
  };
}
