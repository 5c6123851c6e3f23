/** A route as data: its input, who may call it, and its reply. */
import Type, { type Static, type TSchema } from 'typebox';
import { BODY_LIMIT_BYTES } from '../server/readBody.ts';
import { schemaBounds } from './schemaBounds.ts';

export type Method = 'get' | 'post' | 'put' | 'delete';

export interface RouteInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface Reply<Body> {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Body;
}

export interface Route {
  readonly method: Method;
  /** One or more patterns; the first names the route in metrics. */
  readonly paths: readonly string[];
  readonly access: 'anyone' | 'admin';
  readonly params: TSchema | undefined;
  /** A route that declares no query schema allows no query parameter. */
  readonly query: TSchema;
  readonly body: TSchema | undefined;
  /** Upper bound of the request body in bytes, from its schema; 0 for a route without a body. */
  readonly bodyLimitBytes: number;
  /** Upper bound of the number of values in a valid body. */
  readonly bodyElements: number;
  readonly reply: TSchema;
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
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** Checked before the reply is sent: a reply that does not match is answered with 500 and logged as a defect. */
  readonly reply: Answer;
  readonly handle: (
    input: RouteInput<Static<Params>, Static<Query>, Static<Body>>,
  ) => Promise<Reply<Static<Answer>>>;
}

const NO_QUERY = Type.Object({}, { additionalProperties: false });

/**
 * @throws Error if a schema of the input has a string, array or object without a bound: see `schemaBounds`.
 */
export function defineRoute<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Answer extends TSchema = TSchema,
>(options: RouteOptions<Params, Query, Body, Answer>): Route {
  const { method, paths, access, params, body, reply, handle } = options;
  const query = options.query ?? NO_QUERY;
  const place = `${method.toUpperCase()} ${paths[0] ?? ''}`;
  requireBounds(params, query, place);
  const bounds = body === undefined ? undefined : schemaBounds(body, `${place} body`);
  return {
    method,
    paths,
    access,
    params,
    query,
    body,
    // At least BODY_LIMIT_BYTES are read, so that a fault in a body that is somewhat too long is reported by its field.
    bodyLimitBytes: bounds === undefined ? 0 : Math.max(BODY_LIMIT_BYTES, bounds.bytes),
    bodyElements: bounds?.elements ?? 0,
    reply,
    handle: handle as Route['handle'],
  };
}

/** The names of path parameters come from the pattern, so only their values need bounds. */
function requireBounds(params: TSchema | undefined, query: TSchema, place: string): void {
  const { properties = {} } = (params ?? {}) as { properties?: Readonly<Record<string, TSchema>> };
  for (const [name, schema] of Object.entries(properties))
    schemaBounds(schema, `${place} path.${name}`);
  schemaBounds(query, `${place} query`);
}
