/** The OpenTelemetry SDK, for traces alone: started with bounds, stopped within a deadline. Loaded only when tracing is on. */
import { optionalText } from '@fit/contract';
import { DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { startNodeSdk } from '@opentelemetry/sdk-node';
import { exporterDiagnostics, type WarningLog } from './exporterDiagnostics.ts';
import { jobSpans } from './jobSpans.ts';
import { requestSpans } from './requestSpans.ts';
import type { Tracing } from './tracing.ts';

/**
 * The SDK takes these from the environment alone. Its own queue of 2,048 is a third of a second of one coach at full
 * speed. Small batches, sent often: a span that waits outlives the young generation, and costs its collection twice.
 */
const BOUNDS = {
  OTEL_BSP_MAX_QUEUE_SIZE: '16384',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '512',
  OTEL_BSP_SCHEDULE_DELAY: '500',
  OTEL_BSP_EXPORT_TIMEOUT: '5000',
  OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
};
const STOP_MS = 3_000;
/** Nobody looks at 10,000 traces a night, and each costs (npm run bench -- observability). */
const LARGE_RUN_SHARE = 0.1;

/** A collector that is away costs its spans: they are dropped at the queue's bound, and one line a minute says so. */
export function startTracing(service: string, log: WarningLog): Tracing {
  for (const [name, value] of Object.entries(BOUNDS))
    process.env[name] = optionalText(process.env, name) ?? value;
  const sdk = startNodeSdk({
    logLevel: 'none',
    // Only traces: metrics are Prometheus's, logs are standard output's. Baggage and tracestate are not carried on.
    metricReaders: [],
    logRecordProcessors: [],
    propagators: [],
    ...(process.env['OTEL_SERVICE_NAME']
      ? {}
      : { resourceAttributes: { 'service.name': service } }),
  });
  diag.setLogger(exporterDiagnostics(log), {
    logLevel: DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const tracer = trace.getTracer('fit');
  return {
    jobs: jobSpans(tracer),
    requests: requestSpans(tracer),
    largeRunShare: process.env['OTEL_TRACES_SAMPLER'] ? 1 : LARGE_RUN_SHARE,
    stop: () => within(STOP_MS, sdk.shutdown()),
  };
}

/** What is not sent by then is dropped: a process must end even if its collector hangs. */
async function within(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
