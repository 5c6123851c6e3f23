/** Builds a Koa application from routes: security headers, problems, timing, callers, bodies, checks of input and reply. */
import { StoreUnavailable } from '@fit/jobs';
import Router, { type RouterContext } from '@koa/router';
import type { HelmetOptions } from 'helmet';
import Koa, { type Context, type Next } from 'koa';
import helmet from 'koa-helmet';
import { type Access, type Caller, isAllowed } from '../access/access.ts';
import { type Authenticate, bearerOf } from '../access/authenticator.ts';
import { type AuditLog, audited } from '../audit/audited.ts';
import { hashOfKey, onceByKey } from '../idempotency/onceByKey.ts';
import type { IdempotencyStore } from '../idempotency/store/idempotencyStore.ts';
import { compileCheck, inputBounds, requireValid, type SchemaCheck } from '../route/checkInput.ts';
import type { Route } from '../route/defineRoute.ts';
import { invalidInput, notFound, Problem } from '../route/problem.ts';
import {
  BUSY,
  CROSS_SITE,
  CSRF_HEADER_MISSING,
  FORBIDDEN,
  INTERNAL,
  METHOD_NOT_ALLOWED,
  STORE_BUSY,
  STORE_UNAVAILABLE,
  statedProblems,
  TOO_MANY_WRONG_TOKENS,
  UNAUTHENTICATED,
  UNSUPPORTED_CHARSET,
  UNSUPPORTED_MEDIA_TYPE,
} from '../route/sharedProblems.ts';
import { type ObserveRequestOptions, observeRequest, PROBES } from './observeRequest.ts';
import {
  type ByteBudget,
  bodyBudget,
  type ReadBodyOptions,
  readBody,
  readJsonBody,
} from './readBody.ts';
import { type WrongTokenBurst, WrongTokens } from './wrongTokens.ts';

export interface AppOptions extends ObserveRequestOptions {
  readonly routes: readonly Route[];
  /** Finds out who sent a request; undefined: every route that is not open answers 401. */
  readonly authenticate?: Authenticate;
  /** Keeps the replies of routes whose `idempotencyKey` is `kept`; without it such a request with a key is a defect. */
  readonly idempotency?: IdempotencyStore;
  /** Keeps the entries of routes that change something; without it each of them is a defect. */
  readonly audit?: AuditLog;
  /** Called with an unexpected error; the answer is 500 without any detail. */
  readonly onDefect: (error: unknown, path: string) => void;
  /** Bounds the bodies of all requests that are handled; default: the budget of the process, `BODY_BUDGET_BYTES`. */
  readonly bodies?: ByteBudget;
  /** Called once for each burst of wrong tokens from one address. */
  readonly onWrongTokens?: (burst: WrongTokenBurst) => void;
  /** Requests handled at a time, without health probes; one more is answered with 503. Default `REQUEST_LIMIT`. */
  readonly requestLimit?: number;
}

/** Each request holds its context and what it has read from the database; without a bound these could fill the heap. */
export const REQUEST_LIMIT = 256;

/** State that all routes of an application share. */
interface Shared {
  readonly bodies: ByteBudget;
  readonly requestLimit: number;
  requestCount: number;
  readonly wrongTokens: WrongTokens;
}

const PATH_AND_QUERY_BOUNDS = inputBounds(0);

/**
 * A page loads only files of its own origin and cannot be framed. Strict-Transport-Security is left to the proxy that terminates TLS,
 * because only that proxy knows whether every service of the host has TLS.
 */
const SECURITY_HEADERS: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      connectSrc: ["'self'"],
      imgSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  xFrameOptions: { action: 'deny' },
  strictTransportSecurity: false,
};

export function createApp(options: AppOptions): Koa {
  const app = new Koa();
  const router = new Router();
  const { bodies = bodyBudget, requestLimit = REQUEST_LIMIT } = options;
  const wrongTokens = new WrongTokens(options.onWrongTokens ?? (() => undefined));
  const shared = { bodies, requestLimit, requestCount: 0, wrongTokens };
  for (const route of options.routes) mount(router, { route, options, shared });
  app.on('error', (error: unknown, context?: Context) => {
    if (!isCallerGone(error)) options.onDefect(error, context?.path ?? '');
  });
  app.use(observeRequest(options));
  app.use(helmet(SECURITY_HEADERS));
  app.use(answerProblems(options));
  app.use(router.routes());
  app.use((context) => {
    answerOtherMethod(context, router);
  });
  return app;
}

/**
 * Answers a request whose path or method no route has. The router's own `allowedMethods` is not used, because it answers OPTIONS with
 * 200 and an unknown method with 501, neither as a problem document.
 */
function answerOtherMethod(context: Context, router: Router): void {
  const routes = router.match(context.path, context.method).path;
  if (routes.length === 0) throw notFound();
  const methods = new Set([...routes.flatMap((route) => route.methods), 'OPTIONS']);
  const allow = [...methods].sort().join(', ');
  if (context.method === 'OPTIONS') {
    context.set('allow', allow);
    context.status = 204;
    return;
  }
  throw new Problem({
    ...METHOD_NOT_ALLOWED,
    title: `${context.method} is not allowed here; allowed are ${allow}`,
    headers: { allow },
  });
}

interface Mounted {
  readonly route: Route;
  readonly options: AppOptions;
  readonly shared: Shared;
}

function mount(router: Router, { route, options, shared }: Mounted): void {
  const [params, query, body] = [route.params, route.query, route.body].map((schema) =>
    schema === undefined ? undefined : compileCheck(schema),
  );
  const reply = compileCheck(route.reply);
  const isStated = statedProblems(route);
  const bodyBounds = inputBounds(route.bodyElements);
  router[route.method]([...route.paths], async (context: RouterContext) => {
    // Probes do not count: they must be answered above all under load, and simultaneous probes check each dependency only once.
    if (shared.requestCount >= shared.requestLimit && !PROBES.has(context.path)) throw busy();
    shared.requestCount += 1;
    const share = shared.bodies.open();
    try {
      // The checks that need no body come first, so that the body of a refused request is never read.
      const caller = await requireCaller(context, route.access, { options, shared });
      requireSameOrigin(context, caller);
      const input = {
        params: context.params as unknown,
        query: { ...context.query } as unknown,
        headers: context.headers as Record<string, string | undefined>,
        keyHash: keyHashOf(context, route, caller),
        caller,
        address: context.req.socket.remoteAddress ?? 'unknown',
        isStillAllowed: () => isStillAllowed(context, route.access, options),
      };
      requireValid(params, 'path', input.params, PATH_AND_QUERY_BOUNDS);
      requireValid(query, 'query', input.query, PATH_AND_QUERY_BOUNDS);
      const given =
        body === undefined
          ? discardBody(context)
          : await readGiven(context, route, { share, limitBytes: route.bodyLimitBytes });
      requireValid(body, 'body', given, bodyBounds);
      const { params: pathParams, query: queryParams } = input;
      const carryOut = () =>
        audited(
          route,
          {
            log: options.audit,
            caller,
            requestId: context.response.get('x-request-id'),
            request: { params: pathParams, query: queryParams, body: given },
          },
          () => route.handle({ ...input, body: given }),
        );
      const { keyHash } = input;
      const answer =
        keyHash === undefined || route.idempotencyKey !== 'kept'
          ? await carryOut()
          : await onceByKey(
              requireKeyStore(options),
              { keyHash, content: [input.params, input.query, given] },
              carryOut,
            );
      requireValidReply(reply, answer.body, context.path);
      context.status = answer.status ?? route.statuses[0] ?? 200;
      context.set({ ...answer.headers });
      context.body = answer.body;
      requireStatedReply(route, context);
      // Koa compares the ETag of the reply with If-None-Match, and empties the body of a 304. To it `*` matches a reply without an ETag.
      if (route.statuses.includes(304) && context.fresh) context.status = 304;
    } catch (error) {
      if (error instanceof Problem && !isStated(error.options)) throw unstated(route, error);
      throw error;
    } finally {
      // The share is released only here, because the handler may hold the body until it ends.
      share.release();
      shared.requestCount -= 1;
    }
  });
}

function busy(): Problem {
  const title = 'This process handles as many requests as it can hold';
  return new Problem({ ...BUSY, title, retryAfterSeconds: 1 });
}

/** An unread body would stay in the buffers of its connection until the request is answered. */
function discardBody(context: RouterContext): object {
  context.req.resume();
  return {};
}

/**
 * Recognizes a connection that ended before its request or its answer: the caller left, broke the protocol, or was too slow. This is not
 * a defect, and a stranger must not be able to fill the log with it.
 */
function isCallerGone(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  return CALLER_GONE_CODES.has(code) || code.startsWith('HPE_');
}

const CALLER_GONE_CODES: ReadonlySet<string> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP_REQUEST_TIMEOUT',
  'ECONNRESET',
  'EPIPE',
]);

function requireValidReply(check: SchemaCheck, body: unknown, path: string): void {
  if (check.check(body)) return;
  const [first] = check.faults('reply', body);
  throw new Error(`the reply of ${path} does not match its schema: ${JSON.stringify(first)}`);
}

/** A client that follows the OpenAPI document would not know what to do with another status or media type. */
function requireStatedReply(route: Route, { status, response }: Context): void {
  if (!route.statuses.includes(status))
    throw new Error(`${nameOf(route)} answered ${status}, which it does not state`);
  // An empty body has no type.
  if (status !== 204 && !route.replyTypes.includes(response.type))
    throw new Error(`${nameOf(route)} answered ${response.type}, which it does not state`);
}

function unstated(route: Route, problem: Problem): Error {
  const { status, code } = problem.options;
  return new Error(`${nameOf(route)} answered ${status} ${code}, which it does not state`, {
    cause: problem,
  });
}

/** @throws Problem 400 `invalid_input` if the key is not as the OpenAPI document states it. */
function keyHashOf(
  { headers }: RouterContext,
  route: Route,
  caller: Caller | undefined,
): string | undefined {
  const key = headers['idempotency-key'];
  if (route.idempotencyKey === 'none' || key === undefined) return undefined;
  return hashOfKey({
    key: String(key),
    accountId: caller?.accountId ?? '',
    route: nameOf(route),
  });
}

function requireKeyStore({ idempotency }: AppOptions): IdempotencyStore {
  if (idempotency !== undefined) return idempotency;
  throw new Error('a route keeps replies by Idempotency-Key, but the application has no store');
}

function nameOf({ method, paths }: Route): string {
  return `${method.toUpperCase()} ${paths[0] ?? ''}`;
}

/** RFC 6750 requires a realm in each challenge. */
const CHALLENGE = 'Bearer realm="fit"';

/**
 * @returns who sent the request; undefined on an open route, which asks nobody.
 * @throws Problem 401 `unauthenticated`, 403 `forbidden`, 429 `too_many_wrong_tokens`; StoreUnavailable
 */
async function requireCaller(
  context: RouterContext,
  access: Access,
  { options, shared }: Pick<Mounted, 'options' | 'shared'>,
): Promise<Caller | undefined> {
  if (access === 'open') return undefined;
  const { authorization, cookie } = context.headers;
  const identity =
    options.authenticate === undefined
      ? bearerOf(authorization) === undefined
        ? 'none'
        : 'wrong'
      : await options.authenticate({ authorization, cookie });
  if (identity === 'none' || identity === 'wrong')
    throw unauthenticated(context, identity, shared.wrongTokens);
  if (isAllowed(access, identity, context.params)) return identity;
  throw new Problem({
    ...FORBIDDEN,
    title: `This needs ${describeAccess(access)}; you have the role ${identity.role}`,
  });
}

async function isStillAllowed(
  context: RouterContext,
  access: Access,
  { authenticate }: AppOptions,
): Promise<boolean> {
  if (access === 'open') return true;
  const { authorization, cookie } = context.headers;
  const identity = await authenticate?.({ authorization, cookie });
  return typeof identity === 'object' && isAllowed(access, identity, context.params);
}

function unauthenticated(
  context: Context,
  identity: 'none' | 'wrong',
  wrongTokens: WrongTokens,
): Problem {
  const hasToken = bearerOf(context.get('authorization')) !== undefined;
  if (hasToken) {
    const retryAfterSeconds = wrongTokens.count(context.req.socket.remoteAddress ?? 'unknown');
    if (retryAfterSeconds !== undefined)
      return new Problem({
        ...TOO_MANY_WRONG_TOKENS,
        title: 'Too many wrong tokens came from this address; the right one is still accepted',
        retryAfterSeconds,
      });
  }
  return new Problem({
    ...UNAUTHENTICATED,
    title:
      identity === 'none'
        ? 'The request has no token and no session'
        : 'The token or the session is wrong or has ended',
    headers: {
      'www-authenticate': hasToken ? `${CHALLENGE}, error="invalid_token"` : CHALLENGE,
    },
  });
}

function describeAccess(access: readonly string[]): string {
  const names = access.map((grant) =>
    grant === 'self'
      ? 'to be this user'
      : grant === 'own'
        ? 'to be a member with a user'
        : `the role ${grant}`,
  );
  return names.join(' or ');
}

/** A header that a page of another origin cannot send, because FIT allows no origin in answers to preflight requests. */
const CSRF_HEADER = 'x-fit-csrf';
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses a request that a page of another origin made a browser send. The browser says so by Sec-Fetch-Site, an older one by Origin;
 * programs send neither. A request with the cookie of a session needs the header `CSRF_HEADER` besides, so that it never
 * depends on what a browser sends by itself.
 * @throws Problem 403 `cross_site`, `csrf_header_missing`
 */
function requireSameOrigin(context: Context, caller: Caller | undefined): void {
  if (SAFE_METHODS.has(context.method) || caller?.via === 'bearer') return;
  const site = context.get('sec-fetch-site');
  const origin = context.get('origin');
  const isForeign =
    site === ''
      ? origin !== '' && URL.parse(origin)?.host !== context.get('host')
      : site !== 'same-origin' && site !== 'none';
  if (isForeign)
    throw new Problem({
      ...CROSS_SITE,
      title: 'A page of another origin may not change anything here',
    });
  if (caller !== undefined && context.get(CSRF_HEADER) === '')
    throw new Problem({
      ...CSRF_HEADER_MISSING,
      title: `A request with a session cookie that changes something needs the header ${CSRF_HEADER}: 1`,
    });
}

async function readGiven(
  context: RouterContext,
  route: Route,
  options: ReadBodyOptions,
): Promise<unknown> {
  return route.takesForm && context.is('urlencoded') === 'urlencoded'
    ? await readForm(context, options)
    : await readJson(context, options);
}

/** @throws Problem 400 `invalid_input` if a field occurs twice: two readers could take different ones. */
async function readForm(context: RouterContext, options: ReadBodyOptions): Promise<unknown> {
  const fields = new URLSearchParams((await readBody(context.req, options)).toString('utf8'));
  const names = [...fields.keys()];
  if (new Set(names).size < names.length) throw invalidInput('body', 'has a field twice');
  return Object.fromEntries(fields);
}

async function readJson(context: RouterContext, options: ReadBodyOptions): Promise<unknown> {
  if (isBodyless(context)) return {};
  // `false` means a body of another type, `null` no body at all. Without this check the other type would pass as an empty body.
  if (context.is('json') === false)
    throw new Problem({
      ...UNSUPPORTED_MEDIA_TYPE,
      title: `The body is declared as ${context.request.type === '' ? 'no type' : context.request.type}, not as JSON`,
    });
  if (!JSON_CHARSETS.has(context.request.charset.toLowerCase()))
    throw new Problem({
      ...UNSUPPORTED_CHARSET,
      title: `The body is declared as ${context.request.charset}, not as UTF-8`,
    });
  if (context.get('expect').toLowerCase() === '100-continue') context.res.writeContinue();
  return await readJsonBody(context.req, options);
}

/** JSON is UTF-8 (RFC 8259) whether the header says so or not; ASCII is a subset of UTF-8. */
const JSON_CHARSETS: ReadonlySet<string> = new Set(['', 'utf-8', 'utf8', 'us-ascii']);

/** fetch and other clients send a length of 0 and no type if there is no body. */
function isBodyless({ headers }: RouterContext): boolean {
  return headers['content-length'] === '0' && headers['transfer-encoding'] === undefined;
}

function answerProblems(options: AppOptions) {
  return async (context: Context, next: Next): Promise<void> => {
    try {
      await next();
    } catch (error) {
      const problem = problemOf(error, context, options);
      context.status = problem.options.status;
      if (problem.options.retryAfterSeconds !== undefined)
        context.set('retry-after', String(problem.options.retryAfterSeconds));
      context.set({ ...problem.options.headers });
      context.type = 'application/problem+json';
      context.body = JSON.stringify(problem.document);
    }
  };
}

function problemOf(error: unknown, context: Context, options: AppOptions): Problem {
  if (error instanceof Problem) return error;
  // jobs/src/store/statement.ts turns each failure of the database into this class, whatever the driver calls it.
  if (error instanceof StoreUnavailable) return storeProblem(error);
  return defect(error, context, options);
}

/** An outage or contention of the database is neither a defect nor the fault of the caller, so the caller is asked to retry. */
function storeProblem({ reason }: StoreUnavailable): Problem {
  return reason === 'contention'
    ? new Problem({
        ...STORE_BUSY,
        title: 'Other statements blocked this one in the database',
        retryAfterSeconds: 1,
      })
    : new Problem({
        ...STORE_UNAVAILABLE,
        title: 'The database does not answer',
        retryAfterSeconds: 5,
      });
}

function defect(error: unknown, context: Context, options: AppOptions): Problem {
  options.onDefect(error, context.path);
  return new Problem({
    ...INTERNAL,
    title: 'This is a defect, and it was logged',
  });
}
