/** Starts the OpenTelemetry SDK for traces only. `openTracing` loads this file if a collector is configured. */
import { optionalText } from '@fit/contract';
import type { JobTracer } from '@fit/jobs';
import { DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { startNodeSdk } from '@opentelemetry/sdk-node';
import pTimeout from 'p-timeout';
import type { RequestTracer } from '../server/observeRequest.ts';
import { exporterDiagnostics, type WarningLog } from './exporterDiagnostics.ts';
import { jobSpans } from './jobSpans.ts';
import { requestSpans } from './requestSpans.ts';

/** The tracing of a process, on or off. */
export interface Tracing {
  /** Undefined while tracing is off. */
  readonly jobs: JobTracer | undefined;
  /** Undefined while tracing is off. */
  readonly requests: RequestTracer | undefined;
  /** The share of the jobs that is traced in a run too large for one trace; 0 to 1. */
  readonly largeRunShare: number;
  /** Exports what is left, for at most `STOP_TIMEOUT_MS`. It must stop last, because the other parts make spans while they stop. */
  stop(): Promise<void>;
}

/**
 * Defaults for the variables of the SDK, which reads its bounds from the environment only. The SDK's own queue of 2,048 spans holds a
 * third of a second of one coach at full speed. Batches are small and frequent, because a span that waits longer than a collection of the
 * young generation is copied twice.
 */
const SDK_DEFAULTS = {
  OTEL_BSP_MAX_QUEUE_SIZE: '16384',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '512',
  OTEL_BSP_SCHEDULE_DELAY: '500',
  OTEL_BSP_EXPORT_TIMEOUT: '5000',
  OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
};
const STOP_TIMEOUT_MS = 3_000;
/** 10,000 traces of one night are not read, and each trace costs time (npm run bench -- observability). OTEL_TRACES_SAMPLER overrides it. */
const LARGE_RUN_SHARE = 0.1;

/** While the collector does not answer, spans beyond the queue are dropped, and one log line a minute reports it. */
export function startTracing(service: string, log: WarningLog): Tracing {
  for (const [name, value] of Object.entries(SDK_DEFAULTS))
    process.env[name] = optionalText(process.env, name) ?? value;
  const sdk = startNodeSdk({
    logLevel: 'none',
    // Metrics go to Prometheus and logs to standard output. Baggage and tracestate are not propagated.
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
    // The process must end although the collector hangs, so that spans not sent within the timeout are dropped.
    stop: () =>
      pTimeout(
        sdk.shutdown().catch(() => undefined),
        { milliseconds: STOP_TIMEOUT_MS, message: false },
      ),
  };
}
