/** A request as a span of kind SERVER. It continues the trace of a caller that sent a valid `traceparent`, else it begins one. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { RequestTracer } from '../server/observeRequest.ts';
import { contextOf, traceparentOf } from './spanContext.ts';

export function requestSpans(tracer: Tracer): RequestTracer {
  return {
    begin: ({ method, path, requestId, traceparent }) => {
      const attributes = {
        'http.request.method': method,
        'url.path': path,
        'url.scheme': 'http',
        'fit.request.id': requestId,
      };
      const options = { kind: SpanKind.SERVER, attributes };
      const span = tracer.startSpan(method, options, contextOf(traceparent) ?? ROOT_CONTEXT);
      return {
        traceparent: traceparentOf(span),
        end: ({ route, status }) => {
          span.updateName(`${method} ${route}`);
          span.setAttribute('http.route', route).setAttribute('http.response.status_code', status);
          if (status >= 500)
            span
              .setAttribute('error.type', String(status))
              .setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
  };
}
