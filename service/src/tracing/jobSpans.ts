/** Spans of a job: publish, wait, attempt, store, replay and reconcile, named by OpenTelemetry's semantic conventions. */
import {
  type AttemptTrace,
  type JobTracer,
  type StoreWrite,
  type TierWait,
  tierWaitBefore,
} from '@fit/jobs';
import { errorClass } from '@fit/topology';
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { contextOf, linksOf, traceparentOf } from './spanContext.ts';

const RABBITMQ = { 'messaging.system': 'rabbitmq' } as const;

/**
 * The publish is the parent of all attempts and waits of its message: the message keeps its header in the wait queues, so they are
 * siblings in the order of time.
 */
export function jobSpans(tracer: Tracer): JobTracer {
  return {
    publish: (job, { exchange, key }) => {
      if (job.traceparent === undefined && job.tracelinks === undefined) return undefined;
      const destination = `${exchange}:${key}`;
      const span = tracer.startSpan(
        `publish ${destination}`,
        {
          kind: SpanKind.PRODUCER,
          links: linksOf(job.tracelinks),
          attributes: {
            ...RABBITMQ,
            'messaging.operation.name': 'publish',
            'messaging.destination.name': destination,
            'messaging.message.id': job._id,
            'fit.job.generation': job.generation,
          },
        },
        contextOf(job.traceparent) ?? ROOT_CONTEXT,
      );
      return {
        traceparent: traceparentOf(span),
        end: (result) => {
          span.setAttribute('fit.outcome', result);
          if (result !== 'confirmed') markFailed(span, result);
          span.end();
        },
      };
    },
    attempt: (kind, { headers, receivedAtMs, isRedelivered, body: job }, attempt) => {
      const parent = contextOf(headers['traceparent']);
      if (parent === undefined) return undefined;
      const deliveredAt = new Date(receivedAtMs);
      const wait = tierWaitBefore(kind, attempt, { headers, deliveredAt });
      if (wait !== undefined) recordWaitSpan(tracer, parent, { ...wait, jobId: job.id });
      const span = tracer.startSpan(
        `process ${kind.queue}`,
        {
          kind: SpanKind.CONSUMER,
          attributes: {
            ...RABBITMQ,
            'messaging.operation.name': 'process',
            'messaging.destination.name': kind.queue,
            'messaging.message.id': job.id,
            'fit.attempt': attempt,
            ...(isRedelivered ? { 'fit.redelivered': true } : {}),
          },
        },
        parent,
      );
      return attemptTrace(tracer, span);
    },
    operation: (name) => {
      const span = tracer.startSpan(name, {}, ROOT_CONTEXT);
      return {
        traceparent: traceparentOf(span),
        end: (jobCount) => {
          span.setAttribute('fit.job.count', jobCount).end();
        },
      };
    },
  };
}

/** Wait queues have no consumers, so the worker that receives the message next records the span of its wait. */
function recordWaitSpan(
  tracer: Tracer,
  parent: Context,
  wait: TierWait & { readonly jobId: string },
): void {
  const attributes: Attributes = {
    ...RABBITMQ,
    'messaging.destination.name': wait.queue,
    'messaging.message.id': wait.jobId,
    'fit.tier': wait.tier,
    'fit.tier.ttl_seconds': wait.ttlMs / 1_000,
  };
  tracer
    .startSpan(`wait ${wait.queue}`, { startTime: wait.startedAt, attributes }, parent)
    .end(wait.endedAt);
}

function attemptTrace(tracer: Tracer, span: Span): AttemptTrace {
  return {
    traceparent: traceparentOf(span),
    end: ({ outcome, next, waitMs, endedAt }) => {
      span.setAttribute('fit.outcome', outcome.type).setAttribute('fit.next_step', next);
      if (waitMs !== undefined) span.setAttribute('fit.next_delay_seconds', waitMs / 1_000);
      // Only the class of the error, because its message may contain a part of the payload.
      if ('error' in outcome) markFailed(span, errorClass(outcome.error));
      span.end(endedAt);
    },
    stored: (write) => {
      recordStoreSpan(tracer, span, write);
    },
  };
}

function recordStoreSpan(tracer: Tracer, attempt: Span, write: StoreWrite): void {
  const attributes: Attributes = {
    'db.system.name': 'mongodb',
    'db.operation.name': 'bulkWrite',
    'db.collection.name': 'jobs',
    'db.operation.batch.size': write.jobCount,
    'fit.transition': write.transition,
  };
  const { startedAt: startTime, endedAt } = write;
  tracer
    .startSpan(
      'bulkWrite jobs',
      { kind: SpanKind.CLIENT, startTime, attributes },
      trace.setSpan(ROOT_CONTEXT, attempt),
    )
    .end(endedAt);
}

function markFailed(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}
