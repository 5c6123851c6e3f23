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
      access: 'open',
      summary: 'Ask whether a restart would help',
      description:
        'Asks no dependency. 503 names a background task or a consumer that makes no progress.',
      tag: 'Health',
      reply: Reply,
      statuses: [200, 503],
      handle: async () => ({ ...(await health.alive()), headers }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/readyz', '/healthz'],
      access: 'open',
      summary: 'Ask whether the service can work',
      description:
        'Names each dependency with its state, the reason and since when. 503 while one is missing and from the first signal to stop.',
      tag: 'Health',
      reply: Reply,
      statuses: [200, 503],
      handle: async () => ({ ...(await health.ready()), headers }),
    }),
  ];
}
