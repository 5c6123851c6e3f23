/** Sends requests that are derived from the OpenAPI document of a running service, and checks each reply against the document. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenApiDocument } from '@fit/service';
import fc from 'fast-check';
import { ReplyChecker, type SeenReply } from './checkReply.ts';
import type { FuzzRecords } from './fuzzRecords.ts';
import { type RequestCase, requestCases } from './requestCases.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly records: Pick<FuzzRecords, 'hints' | 'credentialsOf'>;
  /** Beside one right request for each operation. */
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
  /** How often each operation answered each status to requests of its own method. */
  readonly statuses: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Operations that never answered one of their own success statuses, without those of `NEVER_SUCCESSFUL`. */
  readonly unsuccessful: readonly string[];
}

/** Operations of which no request can succeed here, and why. */
export const NEVER_SUCCESSFUL: ReadonlyMap<string, string> = new Map([
  ['postBootstrapAdmin', 'it succeeds once, with a secret that the requests do not know'],
]);

/** Requests at a time. */
const CONCURRENT_COUNT = 4;
const REQUEST_TIMEOUT_MS = 60_000;
/** A request that is answered with Retry-After is repeated until this long after its first try. */
const REPEAT_MS = 60_000;
/** Requests come from so many addresses of the loopback network, because log-ins are limited by address. */
const ADDRESS_COUNT = 40;
/** It may refuse the tokens of the requests beside it, so it is sent alone, after the others. */
const KEY_OPERATION = 'postAuthKeys';

/** @throws Error if the document cannot be read. */
export async function fuzz({ url, records, requestCount, seed }: FuzzOptions): Promise<FuzzReport> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  const checker = new ReplyChecker(document);
  const { right, any } = requestCases(document, records.hints);
  const operations = Object.values(document.paths).flatMap((methods) =>
    Object.entries(methods).map(([method, operation]) => ({ method, operation })),
  );
  const methods = new Map(
    operations.map(({ method, operation }) => [operation.operationId, method.toUpperCase()]),
  );
  const faults: FuzzFault[] = [];
  const statuses = new Map<string, Map<number, number>>();
  const sender = new Sender(url, records);
  const check = async (request: RequestCase) => {
    const { operationId } = request;
    const reply = await sender.send(request);
    const isOwnMethod = methods.get(operationId) === request.method;
    if (isOwnMethod) {
      const counts = statuses.get(operationId) ?? new Map<number, number>();
      counts.set(reply.status, (counts.get(reply.status) ?? 0) + 1);
      statuses.set(operationId, counts);
    }
    const fault = checker.fault(operationId, isOwnMethod, reply);
    if (fault !== undefined) faults.push({ request, fault });
  };
  for (const request of right.flatMap((cases) => fc.sample(cases, { numRuns: 1, seed })))
    await check(request);
  const cases = fc.sample(any, { numRuns: requestCount, seed });
  const queue = cases.filter(({ operationId }) => operationId !== KEY_OPERATION).values();
  const checkAll = async () => {
    for (const request of queue) await check(request);
  };
  await Promise.all(Array.from({ length: CONCURRENT_COUNT }, checkAll));
  for (const request of cases.filter(({ operationId }) => operationId === KEY_OPERATION))
    await check(request);
  const unsuccessful = operations
    .map(({ operation }) => operation)
    .filter(({ operationId }) => !NEVER_SUCCESSFUL.has(operationId))
    .filter(({ operationId, responses }) => {
      const successes = Object.keys(responses).filter((status) => Number(status) < 400);
      return !successes.some((status) => statuses.get(operationId)?.has(Number(status)) === true);
    })
    .map(({ operationId }) => operationId);
  return { faults, statuses, unsuccessful };
}

class Sender {
  readonly #url: string;
  readonly #records: FuzzOptions['records'];
  readonly #agent = new Agent({ keepAlive: false });
  #count = 0;

  constructor(url: string, records: FuzzOptions['records']) {
    this.#url = url;
    this.#records = records;
  }

  /** A busy machine may answer 503 with Retry-After, which is no fault unless it goes on. */
  async send(request: RequestCase): Promise<SeenReply> {
    const endMs = performance.now() + REPEAT_MS;
    for (;;) {
      const reply = await this.#sendOnce(request);
      if (reply.status !== 503 || reply.retryAfterSeconds === undefined) return reply;
      if (performance.now() > endMs) return reply;
      await delay(reply.retryAfterSeconds * 1_000);
    }
  }

  async #sendOnce({
    caller,
    method,
    path,
    headers,
    body,
  }: RequestCase): Promise<SeenReply & { readonly retryAfterSeconds: number | undefined }> {
    const credentials = await this.#records.credentialsOf(caller);
    this.#count += 1;
    const sent = request(new URL(path, this.#url), {
      method,
      agent: this.#agent,
      localAddress: `127.0.0.${2 + (this.#count % ADDRESS_COUNT)}`,
      headers: {
        ...credentials,
        ...(body === undefined && method === 'GET'
          ? {}
          : { 'content-length': Buffer.byteLength(body ?? '') }),
        ...headers,
      },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const replied = new Promise<IncomingMessage>((resolve, reject) => {
      // A server that refuses a body answers before the body is sent, which then fails; the answer counts.
      sent.once('response', resolve).on('error', reject);
    });
    sent.end(body);
    const response = await replied;
    const { statusCode = 0, headers: replyHeaders } = response;
    const mediaType = (replyHeaders['content-type'] ?? '').replace(/;.*/, '');
    const retryAfter = replyHeaders['retry-after'];
    const seen = {
      status: statusCode,
      mediaType,
      retryAfterSeconds: retryAfter === undefined ? undefined : Number(retryAfter),
    };
    if (mediaType !== 'text/event-stream') return { ...seen, text: await text(response) };
    // A stream does not end by itself.
    response.destroy();
    return { ...seen, text: undefined };
  }
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
