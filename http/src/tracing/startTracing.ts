/** The OpenTelemetry SDK, for traces alone: started with bounds, stopped within a deadline. Loaded only when tracing is on. */
import { DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { startNodeSdk } from '@opentelemetry/sdk-node';
import { exportTroubles, type TroubleLog } from './exportTroubles.ts';
import { jobSpans } from './jobSpans.ts';
import type { Tracing } from './openTracing.ts';
import { requestSpans } from './requestSpans.ts';

/** The SDK takes these from the environment alone. Its own queue of 2,048 is half a second of one coach at full speed. */
const BOUNDS = {
  OTEL_BSP_MAX_QUEUE_SIZE: '16384',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2048',
  OTEL_BSP_SCHEDULE_DELAY: '1000',
  OTEL_BSP_EXPORT_TIMEOUT: '5000',
  OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
};
const STOP_MS = 3_000;

/** A collector that is away costs its spans: they are dropped at the queue's bound, and one line a minute says so. */
export function startTracing(service: string, log: TroubleLog): Tracing {
  for (const [name, value] of Object.entries(BOUNDS)) process.env[name] ??= value;
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
  diag.setLogger(exportTroubles(log), {
    logLevel: DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const tracer = trace.getTracer('fit');
  return {
    jobs: jobSpans(tracer),
    requests: requestSpans(tracer),
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
