/**
 * Carries out a request with an Idempotency-Key once: a repetition gets the first answer. The key counts for one caller and one route,
 * so no caller sees the answer of another one. Where the process ends between the work and the record of its reply, the key is free
 * again after a minute, and a repetition is carried out again; a handler that creates something takes its id from `keyHash`, so that the
 * repetition finds it.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Reply } from '../route/defineRoute.ts';
import { invalidInput, Problem, type ProblemKind } from '../route/problem.ts';
import type { IdempotencyStore } from './store/idempotencyStore.ts';

export const IDEMPOTENCY_KEY_REUSED = {
  status: 422,
  code: 'idempotency_key_reused',
  when: 'another request had this Idempotency-Key before',
  remedy: 'Send a new key with each new request, and the same key only with the same request.',
} as const satisfies ProblemKind;

export const REQUEST_UNDER_WAY = {
  status: 409,
  code: 'request_under_way',
  when: 'the first request with this Idempotency-Key is not answered yet',
  remedy: 'Send the request again after Retry-After, with the same key.',
} as const satisfies ProblemKind;

/** What `onceByKey` answers beside the problems of the route. */
export const KEY_PROBLEMS: readonly ProblemKind[] = [IDEMPOTENCY_KEY_REUSED, REQUEST_UNDER_WAY];

/** Visible ASCII, as a header value may be; a UUID has 36 characters. */
const KEY = /^[\x21-\x7E]{1,200}$/;

export interface SentKey {
  /** The header as it was sent. */
  readonly key: string;
  /** The account that sent it; empty on an open route. */
  readonly accountId: string;
  /** Names the route, such as `POST /users`. */
  readonly route: string;
}

/**
 * @returns a hash that counts for one account and one route, so that no caller can use up or see what another one requested.
 * @throws Problem 400 `invalid_input` if the key is not as the OpenAPI document states it.
 */
export function hashOfKey({ key, accountId, route }: SentKey): string {
  if (!KEY.test(key))
    throw invalidInput('headers.idempotency-key', 'must be 1 to 200 visible ASCII characters');
  return hash([accountId, route, key]);
}

export interface KeyedRequest {
  /** Of `hashOfKey`. */
  readonly keyHash: string;
  /** Path, query and body. */
  readonly content: unknown;
}

/**
 * @param carryOut makes the reply. If it throws, nothing is kept, and the key may be used again: a refused request has created nothing.
 * @returns its reply, or the one that was kept.
 * @throws Problem 409 `request_under_way`, 422 `idempotency_key_reused`; StoreUnavailable
 */
export async function onceByKey(
  store: IdempotencyStore,
  { keyHash, content }: KeyedRequest,
  carryOut: () => Promise<Reply<unknown>>,
): Promise<Reply<unknown>> {
  const owner = randomUUID();
  const requestHash = hash([content]);
  const record = await store.begin({
    _id: keyHash,
    requestHash,
    owner,
    createdAt: new Date(),
  });
  if (record.owner !== owner) return repeatedReply(record, requestHash);
  const reply = await carryOut().catch(async (error: unknown) => {
    // A failure to free the key must not hide why the request failed; the key then stays under way for a minute.
    await store.abandon(keyHash, owner).catch(() => undefined);
    throw error;
  });
  await store.complete(keyHash, owner, {
    status: reply.status ?? 0,
    body: JSON.stringify(reply.body),
  });
  return reply;
}

function repeatedReply(
  { requestHash: firstHash, reply }: Awaited<ReturnType<IdempotencyStore['begin']>>,
  requestHash: string,
): Reply<unknown> {
  if (firstHash !== requestHash)
    throw new Problem({
      ...IDEMPOTENCY_KEY_REUSED,
      title: 'Another request had this Idempotency-Key before',
    });
  if (reply === undefined)
    throw new Problem({
      ...REQUEST_UNDER_WAY,
      title: 'The first request with this Idempotency-Key is under way',
      retryAfterSeconds: 1,
    });
  return {
    ...(reply.status === 0 ? {} : { status: reply.status }),
    headers: { 'idempotency-replayed': 'true' },
    body: JSON.parse(reply.body) as unknown,
  };
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
