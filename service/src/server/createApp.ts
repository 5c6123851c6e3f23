/** Routes → a Koa application: problems, timing, bearer token, JSON bodies, checks of input and reply. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { StoreUnavailable } from '@fit/jobs';
import Router, { type RouterContext } from '@koa/router';
import Koa, { type Context, type Next } from 'koa';
import { compileCheck, inputBounds, requireValid, type SchemaCheck } from '../route/checkInput.ts';
import type { Route } from '../route/defineRoute.ts';
import { notFound, Problem } from '../route/problem.ts';
import { type ByteBudget, bodyBudget } from './byteBudget.ts';
import { type ObserveRequestOptions, observeRequest, PROBES } from './observeRequest.ts';
import { type ReadBodyOptions, readJsonBody } from './readBody.ts';
import { type WrongTokenBurst, WrongTokens } from './wrongTokens.ts';

export interface AppOptions extends ObserveRequestOptions {
  readonly routes: readonly Route[];
  /** Undefined: no route here needs one, admin routes answer 401. */
  readonly adminToken?: string;
  /** A defect: answered with 500 without any detail. */
  readonly onDefect: (error: unknown, path: string) => void;
  /** Of the bodies of all requests under way; default: that of the process, `BODY_BUDGET_BYTES`. */
  readonly bodies?: ByteBudget;
  /** Told once for each burst of wrong tokens from one address. */
  readonly onWrongTokens?: (burst: WrongTokenBurst) => void;
  /** Requests handled at a time, probes apart; one more is answered with 503. Default `REQUEST_LIMIT`. */
  readonly requestLimit?: number;
}

/** Each holds its context and what it has read from the store: without a bound these would add up to the whole heap. */
export const REQUEST_LIMIT = 256;

/** What all routes of an application share. */
interface Shared {
  readonly bodies: ByteBudget;
  readonly requestLimit: number;
  requestCount: number;
  readonly wrongTokens: WrongTokens;
}

/** Path and query hold no arrays worth mentioning. */
const SMALL = inputBounds(0);

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
  app.use(answerProblems(options));
  app.use(router.routes());
  app.use((context) => {
    answerOtherMethod(context, router);
  });
  return app;
}

/**
 * No route has taken the request: its path is unknown, or its method. The router's own `allowedMethods` answers OPTIONS with
 * 200 and an unknown method with 501, and neither as a problem document.
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
    status: 405,
    code: 'method_not_allowed',
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
  const bodyBounds = inputBounds(route.bodyElements);
  router[route.method]([...route.paths], async (context: RouterContext) => {
    // Everything that can be decided without the body comes before it: strangers must not have it read.
    if (route.access === 'admin') requireToken(context, options.adminToken, shared.wrongTokens);
    const input = {
      params: context.params as unknown,
      query: { ...context.query } as unknown,
      headers: context.headers as Record<string, string | undefined>,
    };
    requireValid(params, 'path', input.params, SMALL);
    requireValid(query, 'query', input.query, SMALL);
    // A probe must be answered above all when there is much to do, and all probes at a time ask each dependency once.
    if (shared.requestCount >= shared.requestLimit && !PROBES.has(context.path)) throw busy();
    shared.requestCount += 1;
    const share = shared.bodies.open();
    try {
      const given =
        body === undefined
          ? discardBody(context)
          : await readJson(context, { share, limitBytes: route.bodyLimitBytes });
      requireValid(body, 'body', given, bodyBounds);
      const answer = await route.handle({ ...input, body: given });
      requireKept(reply, answer.body, context.path);
      context.status = answer.status ?? 200;
      context.set({ ...answer.headers });
      context.body = answer.body;
    } finally {
      // Not before: until then the handler may hold the body.
      share.release();
      shared.requestCount -= 1;
    }
  });
}

function busy(): Problem {
  const title = 'This process is handling as many requests as it can hold; come again';
  return new Problem({ status: 503, code: 'busy', title, retryAfterSeconds: 1 });
}

/** Unread, it would stay in the buffers of its connection for as long as the answer takes. */
function discardBody(context: RouterContext): object {
  context.req.resume();
  return {};
}

/**
 * A connection that ended before its request or its answer did: the caller left, broke the protocol, or was cut because it
 * was too slow. That is no defect, and a stranger must not be able to fill the log with such lines.
 */
function isCallerGone(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  return CALLER_GONE.has(code) || code.startsWith('HPE_');
}

const CALLER_GONE: ReadonlySet<string> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP_REQUEST_TIMEOUT',
  'ECONNRESET',
  'EPIPE',
]);

function requireKept(check: SchemaCheck, body: unknown, path: string): void {
  if (check.check(body)) return;
  const [first] = check.faults('reply', body);
  throw new Error(`the reply of ${path} breaks its schema: ${JSON.stringify(first)}`);
}

/** The realm names what the token opens: RFC 6750 asks for it in each challenge. */
const CHALLENGE = 'Bearer realm="fit"';
/** The scheme's name in any case, as RFC 9110 says. */
const BEARER = /^bearer +(.+)$/i;

/** Hashed first, because a comparison in constant time needs equal lengths. */
function requireToken(
  context: Context,
  adminToken: string | undefined,
  wrongTokens: WrongTokens,
): void {
  const given = BEARER.exec(context.get('authorization'))?.[1];
  const digest = (text: string) => createHash('sha256').update(text).digest();
  // Without a token on either side nothing is compared: an absent header must not equal an empty token.
  if (
    given !== undefined &&
    adminToken !== undefined &&
    adminToken !== '' &&
    timingSafeEqual(digest(given), digest(adminToken))
  )
    return;
  if (given !== undefined) {
    const retryAfterSeconds = wrongTokens.count(context.req.socket.remoteAddress ?? 'unknown');
    if (retryAfterSeconds !== undefined)
      throw new Problem({
        status: 429,
        code: 'too_many_wrong_tokens',
        title: 'Too many wrong tokens came from this address; the right one is still accepted',
        retryAfterSeconds,
      });
  }
  throw new Problem({
    status: 401,
    code: 'unauthenticated',
    title: 'This route needs the bearer token of FIT_ADMIN_TOKEN',
    headers: {
      'www-authenticate': given === undefined ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`,
    },
  });
}

async function readJson(context: RouterContext, options: ReadBodyOptions): Promise<unknown> {
  if (isBodyless(context)) return {};
  // false, and not null, means a body of another type; without this it would pass as an empty one.
  if (context.is('json') === false)
    throw new Problem({
      status: 415,
      code: 'unsupported_media_type',
      title: 'Send JSON with content-type: application/json',
    });
  if (!JSON_CHARSETS.has(context.request.charset.toLowerCase()))
    throw new Problem({
      status: 415,
      code: 'unsupported_charset',
      title: `Send JSON as UTF-8, not as ${context.request.charset}`,
    });
  if (context.get('expect').toLowerCase() === '100-continue') context.res.writeContinue();
  return await readJsonBody(context.req, options);
}

/** JSON is UTF-8 (RFC 8259), with or without saying so; ASCII is a part of it. */
const JSON_CHARSETS: ReadonlySet<string> = new Set(['', 'utf-8', 'utf8', 'us-ascii']);

/** fetch and others declare a length of 0, and no type, where there is no body. */
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
  // Where a statement failed says that it was the database's, whatever the driver calls it: see jobs/src/store/statement.ts.
  if (error instanceof StoreUnavailable) return storeProblem(error);
  return defect(error, context, options);
}

/** No defect, and nothing that the caller did: it is asked to come again. */
function storeProblem({ reason }: StoreUnavailable): Problem {
  return reason === 'contention'
    ? new Problem({
        status: 503,
        code: 'store_busy',
        title: 'Other statements were in the way in the database',
        retryAfterSeconds: 1,
      })
    : new Problem({
        status: 503,
        code: 'store_unavailable',
        title: 'The database does not answer',
        retryAfterSeconds: 5,
      });
}

function defect(error: unknown, context: Context, options: AppOptions): Problem {
  options.onDefect(error, context.path);
  return new Problem({
    status: 500,
    code: 'internal',
    title: 'This is a defect, and it was logged',
  });
}
