/** Health on the public port, for load balancers and people: /livez asks nothing, /readyz asks the dependencies. */
import Type from 'typebox';
import { type Readiness, readyReply } from '../server/serveOperations.ts';
import { defineRoute, type Route } from './defineRoute.ts';

const Health = Type.Object({
  status: Type.String(),
  checks: Type.Optional(Type.Record(Type.String(), Type.Boolean())),
});

export function healthRoutes(readiness: Readiness): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/livez'],
      access: 'anyone',
      reply: Health,
      handle: () => Promise.resolve({ body: { status: 'alive' } }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/readyz', '/healthz'],
      access: 'anyone',
      reply: Health,
      handle: () => readyReply(readiness),
    }),
  ];
}
