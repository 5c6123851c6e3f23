/** What is compared: the same system with nothing watching it, with metrics and logs, with traces, with every trace. */
import { resolve } from 'node:path';

export const VARIANTS = ['bare', 'watched', 'traced', 'complete'] as const;
export type Variant = (typeof VARIANTS)[number];

/**
 * What remains in the bare one: making the events that nobody listens to. It is part of the jobs, and switching it off
 * would be another program.
 * @param collectorUrl where the traced one sends its spans.
 * @returns the variables of both processes.
 */
export function environmentOf(variant: Variant, collectorUrl: string): Record<string, string> {
  switch (variant) {
    case 'bare':
      return {
        LOG_LEVEL: 'silent',
        NODE_OPTIONS: `--import=${resolve(import.meta.dirname, 'muteMetrics.ts')}`,
      };
    case 'watched':
      return { LOG_LEVEL: 'info' };
    case 'traced':
      return { LOG_LEVEL: 'info', OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl };
    case 'complete':
      return {
        LOG_LEVEL: 'info',
        OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
        OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      };
  }
}
