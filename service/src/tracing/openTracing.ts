/** Tracing: off unless a collector is named; then, and only then, the OpenTelemetry SDK is loaded. */
import { type Environment, parseEnvironment, TRACING_VARIABLES } from '@fit/contract';
import Type from 'typebox';
import type { WarningLog } from './exporterDiagnostics.ts';
import type { Tracing } from './tracing.ts';

const OFF: Tracing = {
  jobs: undefined,
  requests: undefined,
  largeRunShare: 0,
  stop: () => Promise.resolve(),
};
/** Either switches it on; both are OpenTelemetry's own, as are all that it reads beside them. */
const SWITCHES = Type.Object(TRACING_VARIABLES);

/**
 * @param service the name under which its spans appear, unless OTEL_SERVICE_NAME says another.
 * @throws ConfigError where a collector is named by something that is no URL.
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
