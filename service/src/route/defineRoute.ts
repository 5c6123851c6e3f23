/** A route as data: its input, who may call it, its replies and its problems. The OpenAPI document is made from it. */
import Type, { type Static, type TSchema } from 'typebox';
import { type Access, type Caller, namesUser } from '../access/access.ts';
import type { AuditedRequest, RouteAudit } from '../audit/routeAudit.ts';
import { BODY_LIMIT_BYTES } from '../server/readBody.ts';
import type { ProblemKind } from './problem.ts';
import { type SchemaBounds, schemaBounds } from './schemaBounds.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface RouteInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /**
   * Hash of caller, route and Idempotency-Key: the same for each repetition of a request, whatever token it has, and for no request of
   * another account. Undefined without a key, and on a route whose `idempotencyKey` is `none`.
   */
  readonly keyHash: string | undefined;
  /** Who sent the request; undefined only on a route that is open. */
  readonly caller: Caller | undefined;
  /** @returns whether the caller may still send this request, for replies that go on for long. */
  readonly isStillAllowed: () => Promise<boolean>;
  /** Address of the connection; behind a proxy that of the proxy. */
  readonly address: string;
}

export interface Reply<Body> {
  /** One of the route's `statuses`; default: the first of them. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Body;
}

export interface Route {
  readonly method: Method;
  /** One or more patterns; the first names the route in metrics. */
  readonly paths: readonly string[];
  readonly access: Access;
  /** Whose secret an open route asks for as a bearer token, such as `bootstrap`; undefined: none. The handler checks it. */
  readonly secretName: string | undefined;
  /** What it does, as a verb phrase without a full stop, such as `List the jobs`. */
  readonly summary: string;
  /** More about it, in Markdown; empty where the summary says all. */
  readonly description: string;
  /** The group that it is documented in. */
  readonly tag: string;
  readonly params: TSchema | undefined;
  /** A route that declares no query schema allows no query parameter. */
  readonly query: TSchema;
  readonly body: TSchema | undefined;
  /** Whether the body may also be a form, as OAuth's token endpoint takes it (application/x-www-form-urlencoded). */
  readonly takesForm: boolean;
  /** Whether the route states the bounds of its body itself, because the schema leaves a part of it open. */
  readonly hasOwnBounds: boolean;
  /** Upper bound of the request body in bytes; 0 for a route without a body. */
  readonly bodyLimitBytes: number;
  /** Upper bound of the number of values in a valid body. */
  readonly bodyElements: number;
  /**
   * Whether a request may have an Idempotency-Key. `kept`: createApp keeps the reply and answers a repetition with it. `handled`: the
   * handler uses `keyHash`. `none`: the header means nothing.
   */
  readonly idempotencyKey: 'kept' | 'handled' | 'none';
  readonly reply: TSchema;
  /** Media types of the reply, without parameters. */
  readonly replyTypes: readonly string[];
  /** Every status of a reply that is no problem. */
  readonly statuses: readonly number[];
  /** Every problem that the route can answer, beside those that it shares with others (`sharedProblems`). */
  readonly problems: readonly ProblemKind[];
  /** Undefined on a route that reads. */
  readonly audit: RouteAudit<AuditedRequest, unknown> | undefined;
  readonly handle: (input: RouteInput<unknown, unknown, unknown>) => Promise<Reply<unknown>>;
}

interface RouteOptions<
  Params extends TSchema,
  Query extends TSchema,
  Body extends TSchema,
  Answer extends TSchema,
> {
  readonly method: Method;
  readonly paths: readonly string[];
  readonly access: Route['access'];
  readonly secretName?: string;
  readonly summary: string;
  /** Default: empty. */
  readonly description?: string;
  readonly tag: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** Bounds of a body whose schema has none, because the handler checks a part of it. Default: from the schema. */
  readonly bodyBounds?: Pick<SchemaBounds, 'bytes' | 'elements'>;
  /** Default: `none`. */
  readonly idempotencyKey?: Route['idempotencyKey'];
  /** Default false: JSON only. */
  readonly takesForm?: boolean;
  /** Checked before the reply is sent: a reply that does not match is answered with 500 and logged as a defect. */
  readonly reply: Answer;
  /** Default: `application/json` alone. */
  readonly replyTypes?: readonly string[];
  /** Default: 200 alone. */
  readonly statuses?: readonly number[];
  /** Default: none. */
  readonly problems?: readonly ProblemKind[];
  /** Required of every route that changes something, which is every one whose method is not get. */
  readonly audit?: RouteAudit<AuditedInput<Params, Query, Body>, Static<Answer>>;
  /** A status, media type or problem that the route does not state is answered with 500 and logged as a defect. */
  readonly handle: (
    input: RouteInput<Static<Params>, Static<Query>, Static<Body>>,
  ) => Promise<Reply<Static<Answer>>>;
}

type AuditedInput<Params extends TSchema, Query extends TSchema, Body extends TSchema> = Pick<
  RouteInput<Static<Params>, Static<Query>, Static<Body>>,
  'params' | 'query' | 'body'
>;

/** Such as `job.retry`. */
const ACTION = /^[a-z][A-Za-z]*\.[a-z][A-Za-z]*$/;

const NO_QUERY = Type.Object({}, { additionalProperties: false });

/**
 * @throws Error if a schema of the input has a string, array or object without a bound (see `schemaBounds`), if `access` names
 * `self` and a path names no user, or if the route changes something and does not say what its audit entry is.
 */
export function defineRoute<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Answer extends TSchema = TSchema,
>(options: RouteOptions<Params, Query, Body, Answer>): Route {
  const { method, paths, access, summary, tag, params, body, reply, handle } = options;
  const query = options.query ?? NO_QUERY;
  const place = `${method.toUpperCase()} ${paths[0] ?? ''}`;
  requireBounds(params, query, place);
  if (access !== 'open' && access.includes('self') && !namesUser(paths))
    throw new Error(
      `${place} allows 'self', but has no parameter :id or :userId that names a user`,
    );
  requireAudit(options, place);
  const bounds =
    body === undefined ? undefined : (options.bodyBounds ?? schemaBounds(body, `${place} body`));
  return {
    method,
    paths,
    access,
    secretName: options.secretName,
    summary,
    description: options.description ?? '',
    tag,
    params,
    query,
    body,
    takesForm: options.takesForm === true,
    hasOwnBounds: options.bodyBounds !== undefined,
    // At least BODY_LIMIT_BYTES are read, so that a fault in a body that is somewhat too long is reported by its field.
    bodyLimitBytes: bounds === undefined ? 0 : Math.max(BODY_LIMIT_BYTES, bounds.bytes),
    bodyElements: bounds?.elements ?? 0,
    idempotencyKey: options.idempotencyKey ?? 'none',
    reply,
    replyTypes: options.replyTypes ?? ['application/json'],
    statuses: options.statuses ?? [200],
    problems: options.problems ?? [],
    audit: options.audit as Route['audit'],
    handle: handle as Route['handle'],
  };
}

function requireAudit(
  { method, access, audit }: Pick<Route, 'method' | 'access'> & { readonly audit?: object },
  place: string,
): void {
  if (method === 'get') {
    if (audit !== undefined) throw new Error(`${place} reads, so it has no audit entry`);
    return;
  }
  if (audit === undefined)
    throw new Error(
      `${place} changes something and states no audit: give it an action, or none with the reason`,
    );
  if (!('action' in audit)) return;
  if (access === 'open')
    throw new Error(
      `${place} is open, so strangers could fill the audit: state none with a reason`,
    );
  if (!ACTION.test(String(audit.action)))
    throw new Error(`${place} has the action ${String(audit.action)}; write it as job.retry`);
}

/** The names of path parameters come from the pattern, so only their values need bounds. */
function requireBounds(params: TSchema | undefined, query: TSchema, place: string): void {
  const { properties = {} } = (params ?? {}) as { properties?: Readonly<Record<string, TSchema>> };
  for (const [name, schema] of Object.entries(properties))
    schemaBounds(schema, `${place} path.${name}`);
  schemaBounds(query, `${place} query`);
}
