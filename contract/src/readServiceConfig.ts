/** Variables of both services, and of the tools that connect to the same servers. */
import Type, { type Static, type TObject } from 'typebox';
import {
  ConfigError,
  checkEnvironment,
  checkedText,
  type Environment,
  httpUrl,
  oneOf,
  parseEnvironment,
  wholeNumber,
} from './environment.ts';
import { type FitDeclaration, readFitTopology, TOPOLOGY_VARIABLES } from './fitTopology.ts';
import {
  problemOfAmqpUrl,
  problemOfHost,
  problemOfMongodbUrl,
  problemOfTimezone,
} from './valueChecks.ts';

export interface ServiceConfig {
  readonly amqpUrl: string;
  /** Management API; undefined where it is not configured. Limits of queues are then arguments instead of policies. */
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  /** IANA name of the time zone whose calendar day is today. */
  readonly timezone: string;
  readonly declaration: FitDeclaration;
}

/** Log levels of pino; the first is the default. */
export const LOG_LEVELS = ['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'] as const;

const SERVER_VARIABLES = {
  AMQP_URL: checkedText(problemOfAmqpUrl, {
    default: 'amqp://guest:guest@127.0.0.1:12104',
    show: 'url',
    unit: 'amqp(s) URL',
    description: 'broker; unset: the one of `.stack/main/broker.env`, where that file exists',
  }),
  AMQP_MANAGEMENT_URL: Type.Optional(
    httpUrl({
      description:
        'management API of the broker, with credentials; limits become policies. Unset: from `broker.env` together with `AMQP_URL`; without any, limits are queue arguments',
    }),
  ),
  MONGODB_URL: checkedText(problemOfMongodbUrl, {
    default: 'mongodb://127.0.0.1:12106/fit',
    show: 'url',
    unit: 'connection string',
    description: 'database; replica sets and mongodb+srv:// are accepted',
  }),
};

export const TIMEZONE = checkedText(problemOfTimezone, {
  default: 'UTC',
  unit: 'IANA name',
  description: 'time zone whose calendar day is today, where no date is given',
});

export const HOST = checkedText(problemOfHost, {
  default: '127.0.0.1',
  unit: 'address or host name',
  description: 'where the process listens',
});

/** @returns the schema of the port of metrics and health checks. */
export function metricsPort(port: number) {
  return wholeNumber({
    default: port,
    minimum: 0,
    maximum: 65_535,
    unit: '(0: any free port)',
    description: 'port of metrics and health checks',
  });
}

/** @returns the URLs of broker and database, for tools that need nothing else. @throws ConfigError with every finding. */
export function readServerUrls(env: Environment): {
  readonly amqpUrl: string;
  readonly mongodbUrl: string;
} {
  const value = parseEnvironment(Type.Object(SERVER_VARIABLES), env);
  return { amqpUrl: value.AMQP_URL, mongodbUrl: value.MONGODB_URL };
}

/** Each of these variables switches tracing on. OpenTelemetry itself reads and checks its other variables. */
export const TRACING_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    httpUrl({ description: 'collector of traces; unset: no tracing' }),
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Type.Optional(
    httpUrl({ description: 'the same, as a full address for traces alone' }),
  ),
};

/**
 * The variables that every service reads.
 * @param ports defaults of PORT and METRICS_PORT.
 */
export function serviceVariables(ports: { readonly port: number; readonly metricsPort: number }) {
  return {
    ...SERVER_VARIABLES,
    ...TOPOLOGY_VARIABLES,
    ...TRACING_VARIABLES,
    HOST,
    PORT: wholeNumber({
      default: ports.port,
      minimum: 0,
      maximum: 65_535,
      unit: '(0: any free port)',
      description: 'port of the API',
    }),
    METRICS_PORT: metricsPort(ports.metricsPort),
    CRON_TIMEZONE: TIMEZONE,
    LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'lines below this level are not written' }),
  };
}

type ServiceVariables = ReturnType<typeof serviceVariables>;

/**
 * Reads the whole environment of a service, including the variables of that service alone.
 * @throws ConfigError with every finding.
 */
export function readServiceConfig<Own extends ServiceVariables>(
  schema: TObject<Own>,
  env: Environment,
): { readonly service: ServiceConfig; readonly own: Static<TObject<Own>> } {
  const { value, findings } = checkEnvironment(schema, env);
  if (findings.length > 0) throw new ConfigError(findings);
  const shared = value as Static<TObject<ServiceVariables>>;
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
