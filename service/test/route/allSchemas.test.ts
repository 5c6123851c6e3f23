/** Goal: every input of FIT has a bound. Method: computes the bounds of every schema of every route and of the job payload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateWodPayload } from '@fit/contract';
import { connectStore } from '@fit/jobs/store';
import { Health, healthRoutes, type Route } from '@fit/service';
import { storedWodRoutes } from '../../../coach/src/routes/storedWodRoutes.ts';
import {
  type MonolithRouteParts,
  monolithRoutes,
} from '../../../monolith/src/routes/monolithRoutes.ts';
import { schemaBounds } from '../../src/route/schemaBounds.ts';

/** The declaration of the routes uses no method of their parts, so that placeholders suffice. */
function everyRoute(): Route[] {
  const parts = {
    store: connectStore('mongodb://127.0.0.1:1/none'),
    declaration: { kinds: [] },
    status: {},
  } as unknown as MonolithRouteParts;
  const health = new Health({ stopping: new AbortController().signal, ready: {} });
  return [
    ...monolithRoutes(parts),
    ...storedWodRoutes({ find: () => Promise.resolve(undefined) }, 'UTC'),
    ...healthRoutes(health),
  ];
}

test('every input of every route has a bound, and none nests deeper than 8', () => {
  const routes = everyRoute();
  assert.ok(routes.length > 15, `only ${routes.length} routes`);
  for (const { method, paths, params, query, body } of routes) {
    const place = `${method} ${paths[0] ?? ''}`;
    const { properties = {} } = (params ?? {}) as { properties?: Record<string, typeof query> };
    const inputs = [query, ...Object.values(properties), ...(body === undefined ? [] : [body])];
    for (const schema of inputs) assert.ok(schemaBounds(schema, place).depth <= 8, place);
  }
});

test('the payload of a job has a bound far below that of its message', () => {
  const { bytes, depth, elements } = schemaBounds(CreateWodPayload, 'payload');
  assert.ok(bytes < 4_096 && depth <= 4 && elements < 100, JSON.stringify({ bytes, elements }));
});
