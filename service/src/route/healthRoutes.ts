/** Health on the public port, for load balancers and people: /livez checks no dependency, /readyz checks all of them. */
import Type from 'typebox';
import type { Health } from '../health/health.ts';
import { defineRoute, type Route } from './defineRoute.ts';

const Reply = Type.Object({
  status: Type.String(),
  checks: Type.Record(
    Type.String(),
    Type.Object({ ok: Type.Boolean(), since: Type.String(), why: Type.Optional(Type.String()) }),
  ),
});

/** A cached answer would show a probe an old state. */
const headers = { 'cache-control': 'no-store' };

export function healthRoutes(health: Health): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/livez'],
      access: 'anyone',
      reply: Reply,
      handle: async () => ({ ...(await health.alive()), headers }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/readyz', '/healthz'],
      access: 'anyone',
      reply: Reply,
      handle: async () => ({ ...(await health.ready()), headers }),
    }),
  ];
}
