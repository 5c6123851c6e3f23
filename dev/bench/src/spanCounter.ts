/** A trace collector for the benchmark: accepts OTLP as protobuf, counts the spans and discards them. */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface SpanCounter {
  readonly url: string;
  /** Spans received since the counter was opened. */
  readonly spanCount: number;
  close(): Promise<void>;
}

export async function openSpanCounter(): Promise<SpanCounter> {
  let spanCount = 0;
  const server = createServer((request, response) => {
    buffer(request)
      .then((body) => {
        spanCount += countSpans(body);
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      })
      .catch((error: unknown) => {
        response.writeHead(400).end(String(error));
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    get spanCount() {
      return spanCount;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** ExportTraceServiceRequest.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2. */
function countSpans(request: Buffer): number {
  return fieldsOf(request, 1)
    .flatMap((resource) => fieldsOf(resource, 2))
    .reduce((count, scope) => count + fieldsOf(scope, 2).length, 0);
}

/** Every field in these three messages is length-delimited. */
function fieldsOf(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let offset = 0;
  while (offset < message.length) {
    const tag = readVarint(message, offset);
    const length = readVarint(message, tag.end);
    offset = length.end + length.value;
    if (tag.value >>> 3 === wanted) found.push(message.subarray(length.end, offset));
  }
  return found;
}

function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  let end = start;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[end] ?? 0;
    end += 1;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return { value, end };
}
