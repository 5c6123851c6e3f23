/** Goal: every input of FIT has a bound. Method: computes the bounds of every schema of every route and of the job payload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateWodPayload } from '@fit/contract';
import {
  declaredCoachRoutes,
  declaredMonolithRoutes,
} from '../../../dev/api/src/declaredRoutes.ts';
import { schemaBounds } from '../../src/route/schemaBounds.ts';

test('every input of every route has a bound, and none nests deeper than 8', () => {
  const routes = [...declaredMonolithRoutes(), ...declaredCoachRoutes()];
  assert.ok(routes.length > 15, `only ${routes.length} routes`);
  for (const { method, paths, params, query, body: any, hasOwnBounds } of routes) {
    const body = hasOwnBounds ? undefined : any;
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
