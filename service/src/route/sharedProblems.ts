/** The problems that no single route owns: those of reading and checking a request, of the database and of the process. */
import { KEY_PROBLEMS } from '../idempotency/onceByKey.ts';
import type { Route } from './defineRoute.ts';
import { INVALID_INPUT, type ProblemKind } from './problem.ts';

export const BUSY = {
  status: 503,
  code: 'busy',
  when: 'the process handles as many requests, or holds as many bytes of bodies, as it can',
  remedy: 'Send the request again after Retry-After.',
} as const satisfies ProblemKind;

export const STORE_UNAVAILABLE = {
  status: 503,
  code: 'store_unavailable',
  when: 'the database does not answer',
  remedy: 'Send the request again after Retry-After.',
} as const satisfies ProblemKind;

export const STORE_BUSY = {
  status: 503,
  code: 'store_busy',
  when: 'other statements blocked this one in the database',
  remedy: 'Send the request again after Retry-After.',
} as const satisfies ProblemKind;

export const INTERNAL = {
  status: 500,
  code: 'internal',
  when: 'the service has a defect',
  remedy: 'Report the x-request-id of the answer; the log has a line with it.',
} as const satisfies ProblemKind;

export const INVALID_JSON = {
  status: 400,
  code: 'invalid_json',
  when: 'the body is not valid JSON',
  remedy: 'Send a JSON document in UTF-8.',
} as const satisfies ProblemKind;

export const INVALID_ENCODING = {
  status: 400,
  code: 'invalid_encoding',
  when: 'the body is not what its content-encoding says',
  remedy: 'Send the body as it is, or compressed as declared.',
} as const satisfies ProblemKind;

export const BODY_INCOMPLETE = {
  status: 400,
  code: 'body_incomplete',
  when: 'the connection ended before the body',
  remedy: 'Send the request again.',
} as const satisfies ProblemKind;

export const BODY_TOO_LARGE = {
  status: 413,
  code: 'body_too_large',
  when: 'the body is longer than any valid one',
  remedy: 'Send a shorter body, or several requests.',
} as const satisfies ProblemKind;

export const UNSUPPORTED_MEDIA_TYPE = {
  status: 415,
  code: 'unsupported_media_type',
  when: 'the body is not declared as JSON',
  remedy: 'Send JSON with content-type: application/json.',
} as const satisfies ProblemKind;

export const UNSUPPORTED_CHARSET = {
  status: 415,
  code: 'unsupported_charset',
  when: 'the body is not declared as UTF-8',
  remedy: 'Send JSON as UTF-8.',
} as const satisfies ProblemKind;

export const UNSUPPORTED_ENCODING = {
  status: 415,
  code: 'unsupported_encoding',
  when: 'the content-encoding of the body is not known',
  remedy: 'Send the body as it is, or with content-encoding gzip, deflate or br.',
} as const satisfies ProblemKind;

export const METHOD_NOT_ALLOWED = {
  status: 405,
  code: 'method_not_allowed',
  when: 'the path has no route for this method',
  remedy: 'The header allow lists the methods of the path.',
} as const satisfies ProblemKind;

export const UNAUTHENTICATED = {
  status: 401,
  code: 'unauthenticated',
  when: 'the bearer token or the session cookie is missing, wrong, or has ended',
  remedy:
    'Send the header authorization with Bearer and a token; POST /auth/login answers with one.',
} as const satisfies ProblemKind;

export const FORBIDDEN = {
  status: 403,
  code: 'forbidden',
  when: 'the role of the caller does not allow it, or it is the data of another user',
  remedy: 'The title names the roles that may; an administrator changes roles.',
} as const satisfies ProblemKind;

export const CROSS_SITE = {
  status: 403,
  code: 'cross_site',
  when: 'a page of another origin made a browser send the request',
  remedy: 'Send it from a page of this server, or from a program with a bearer token.',
} as const satisfies ProblemKind;

export const CSRF_HEADER_MISSING = {
  status: 403,
  code: 'csrf_header_missing',
  when: 'a request with a session cookie that changes something has no header x-fit-csrf',
  remedy: 'Send the header x-fit-csrf: 1, or a bearer token instead of the cookie.',
} as const satisfies ProblemKind;

export const TOO_MANY_WRONG_TOKENS = {
  status: 429,
  code: 'too_many_wrong_tokens',
  when: 'too many wrong tokens came from the address; the right one is still accepted',
  remedy: 'Send the right token, or wait for Retry-After.',
} as const satisfies ProblemKind;

const OF_EVERY_ROUTE: readonly ProblemKind[] = [
  INVALID_INPUT,
  INTERNAL,
  BUSY,
  STORE_UNAVAILABLE,
  STORE_BUSY,
];
const OF_BODIES: readonly ProblemKind[] = [
  INVALID_JSON,
  INVALID_ENCODING,
  BODY_INCOMPLETE,
  BODY_TOO_LARGE,
  UNSUPPORTED_MEDIA_TYPE,
  UNSUPPORTED_CHARSET,
  UNSUPPORTED_ENCODING,
];
const OF_TOKENS: readonly ProblemKind[] = [UNAUTHENTICATED, TOO_MANY_WRONG_TOKENS, FORBIDDEN];
/** Of methods that change something; a program that sends a bearer token never meets them. */
const OF_BROWSERS: readonly ProblemKind[] = [CROSS_SITE, CSRF_HEADER_MISSING];

/** @returns every problem that the route can answer, each once, by status and code: those of its own and the shared ones. */
export function allProblems(route: Route): ProblemKind[] {
  const kinds = [
    ...route.problems,
    ...OF_EVERY_ROUTE,
    ...(route.body === undefined ? [] : OF_BODIES),
    ...(route.access === 'open' ? [] : OF_TOKENS),
    ...(route.method === 'get' ? [] : OF_BROWSERS),
    ...(route.idempotencyKey === 'kept' ? KEY_PROBLEMS : []),
  ];
  const byKey = new Map(kinds.toReversed().map((kind) => [keyOf(kind), kind]));
  return [...byKey.values()].sort(
    (left, right) => left.status - right.status || left.code.localeCompare(right.code, 'en'),
  );
}

/** @returns a function that says whether the route states a problem. */
export function statedProblems(
  route: Route,
): (problem: Pick<ProblemKind, 'status' | 'code'>) => boolean {
  const keys = new Set(allProblems(route).map(keyOf));
  return (problem) => keys.has(keyOf(problem));
}

function keyOf({ status, code }: Pick<ProblemKind, 'status' | 'code'>): string {
  return `${status} ${code}`;
}
