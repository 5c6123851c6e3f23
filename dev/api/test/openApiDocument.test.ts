/** Goal: the OpenAPI documents are valid and complete. Method: a validator of OpenAPI 3.1 on the documents of both services. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COACH_DOCUMENT } from '@fit/coach/document';
import { MONOLITH_DOCUMENT } from '@fit/monolith/document';
import { defineRoute, openApiDocument, type Route } from '@fit/service';
import { Validator } from '@seriousme/openapi-schema-validator';
import Type from 'typebox';
import {
  declaredCoachRoutes,
  declaredMonolithRoutes,
  servedDocument,
} from '../src/declaredRoutes.ts';

const DOCUMENTS: readonly (readonly [string, Route[]])[] = [
  ['monolith', declaredMonolithRoutes()],
  ['coach', declaredCoachRoutes()],
];

for (const [name, routes] of DOCUMENTS)
  test(`the document of the ${name} is valid, and has every route with every problem`, async () => {
    const document = await servedDocument(routes);
    const result = await new Validator().validate({ ...document });
    assert.deepEqual([result.valid, result.errors], [true, undefined]);
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    assert.ok(operations.length >= routes.length);
    const ids = operations.map(({ operationId }) => operationId);
    assert.equal(new Set(ids).size, ids.length, 'operationIds are unique');
    for (const { operationId, responses } of operations)
      for (const status of ['400', '500', '503'])
        assert.ok(status in responses, `${operationId} ${status}`);
    for (const text of JSON.stringify(document).matchAll(
      /"\$ref":"#\/components\/schemas\/(\w+)"/g,
    ))
      assert.ok(text[1] !== undefined && text[1] in document.components.schemas, text[0]);
  });

test('shared schemas are components, and open routes need no token', async () => {
  const { components, paths } = await servedDocument(declaredMonolithRoutes());
  for (const name of ['Job', 'Run', 'User', 'NewUser', 'Wod', 'Problem'])
    assert.ok(name in components.schemas, name);
  assert.deepEqual(paths['/openapi.json']?.['get']?.security, []);
  assert.deepEqual(paths['/users']?.['post']?.security, [{ bearer: [] }, { session: [] }]);
  // Its secret is no token, so the page of the document must ask for it apart.
  assert.deepEqual(paths['/bootstrap/admin']?.['post']?.security, [{ bootstrap: [] }]);
  assert.equal(components.securitySchemes['bootstrap']?.['scheme'], 'bearer');
});

const ROUTE = {
  method: 'get',
  access: 'open',
  summary: 'A route of this test',
  tag: 'Users',
  handle: () => Promise.resolve({ body: {} }),
} as const;

test('two schemas with one title, an unknown tag and a pattern without a form in OpenAPI are refused', () => {
  const routes = (reply: Type.TSchema, path: string, tag = 'Users') => [
    defineRoute({ ...ROUTE, paths: [path], tag, reply }),
  ];
  const [one, other] = [
    Type.Object({ id: Type.String() }, { title: 'Thing' }),
    Type.Object({ id: Type.Number() }, { title: 'Thing' }),
  ];
  assert.throws(
    () => openApiDocument([...routes(one, '/one'), ...routes(other, '/other')], MONOLITH_DOCUMENT),
    /two different schemas have the title Thing/,
  );
  assert.throws(() => openApiDocument(routes(one, '/one', 'Cats'), COACH_DOCUMENT), /the tag Cats/);
  assert.throws(() => openApiDocument(routes(one, '/*rest'), MONOLITH_DOCUMENT), /is no path/);
});
