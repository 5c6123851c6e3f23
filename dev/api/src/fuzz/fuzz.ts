/** Sends requests that are derived from the OpenAPI document of a running service, and checks each reply against the document. */
import type { OpenApiDocument } from '@fit/service';
import fc from 'fast-check';
import { ReplyChecker, type SeenReply } from './checkReply.ts';
import { type RequestCase, requestCases } from './requestCases.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly token: string;
  readonly requestCount: number;
  /** The same seed makes the same requests. */
  readonly seed: number;
}

export interface FuzzFault {
  readonly request: RequestCase;
  readonly fault: string;
}

export interface FuzzReport {
  readonly faults: readonly FuzzFault[];
  /** How often each operation answered each status. */
  readonly statuses: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/** Requests at a time. */
const CONCURRENT_COUNT = 4;
const REQUEST_TIMEOUT_MS = 60_000;

/** @throws Error if the document cannot be read. */
export async function fuzz({ url, token, requestCount, seed }: FuzzOptions): Promise<FuzzReport> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  const checker = new ReplyChecker(document);
  const cases = fc.sample(requestCases(document), { numRuns: requestCount, seed });
  const methods = new Map(
    Object.values(document.paths).flatMap((operations) =>
      Object.entries(operations).map(
        ([method, { operationId }]) => [operationId, method.toUpperCase()] as const,
      ),
    ),
  );
  const faults: FuzzFault[] = [];
  const statuses = new Map<string, Map<number, number>>();
  const queue = cases.values();
  const sendAll = async () => {
    for (const request of queue) {
      const reply = await send(url, token, request);
      const counts = statuses.get(request.operationId) ?? new Map<number, number>();
      counts.set(reply.status, (counts.get(reply.status) ?? 0) + 1);
      statuses.set(request.operationId, counts);
      const isOwnMethod = methods.get(request.operationId) === request.method;
      const fault = checker.fault(request.operationId, isOwnMethod, reply);
      if (fault !== undefined) faults.push({ request, fault });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_COUNT }, sendAll));
  return { faults, statuses };
}

async function send(url: string, token: string, request: RequestCase): Promise<SeenReply> {
  const { method, path, headers, body } = request;
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    redirect: 'manual',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    ...(body === undefined ? {} : { body }),
  });
  const mediaType = (response.headers.get('content-type') ?? '').replace(/;.*/, '');
  if (mediaType !== 'text/event-stream')
    return { status: response.status, mediaType, text: await response.text() };
  // A stream does not end by itself.
  await response.body?.cancel();
  return { status: response.status, mediaType, text: undefined };
}

/** @returns a request as a command that sends it again, without the token. */
export function curlOf({ method, path, headers, body }: RequestCase): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = [
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`--data-raw ${quoted(body.slice(0, 2_000))}`]),
  ];
  return [`curl -X ${method}`, ...parts, `"$URL"${quoted(path)}`].join(' ');
}
