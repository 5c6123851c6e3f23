/** Tracing is off unless a collector is configured. The OpenTelemetry SDK is loaded only then. */
import { type Environment, parseEnvironment, TRACING_VARIABLES } from '@fit/contract';
import Type from 'typebox';
import type { WarningLog } from './exporterDiagnostics.ts';
import type { Tracing } from './startTracing.ts';

const OFF: Tracing = {
  jobs: undefined,
  requests: undefined,
  largeRunShare: 0,
  stop: () => Promise.resolve(),
};
/** Each of these variables of OpenTelemetry switches tracing on. */
const SWITCHES = Type.Object(TRACING_VARIABLES);

/**
 * @param service the service name of the spans if OTEL_SERVICE_NAME is not set.
 * @throws ConfigError if the address of the collector is not a URL.
 */
export async function openTracing(
  service: string,
  log: WarningLog,
  env: Environment = process.env,
): Promise<Tracing> {
  const switches = parseEnvironment(SWITCHES, env);
  if (Object.keys(switches).length === 0) return OFF;
  const { startTracing } = await import('./startTracing.ts');
  return startTracing(service, log);
}
