/** A route as data: what it takes, who may call it, what it answers. */
import type { Static, TSchema } from 'typebox';

export type Method = 'get' | 'post' | 'delete';

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
  readonly query: TSchema | undefined;
  readonly body: TSchema | undefined;
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
  /** Checked before it is sent: a reply that breaks its promise is a 500 here, not a riddle there. */
  readonly reply: Answer;
  readonly handle: (
    input: RouteInput<Static<Params>, Static<Query>, Static<Body>>,
  ) => Promise<Reply<Static<Answer>>>;
}

export function defineRoute<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Answer extends TSchema = TSchema,
>(options: RouteOptions<Params, Query, Body, Answer>): Route {
  const { method, paths, access, params, query, body, reply, handle } = options;
  return { method, paths, access, params, query, body, reply, handle: handle as Route['handle'] };
}
