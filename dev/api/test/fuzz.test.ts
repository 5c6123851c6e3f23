/**
 * Goal: no request makes a defect, and every reply is as the OpenAPI document states. Method: requests that are derived from the
 * documents of a real monolith and coach. `npm run fuzz` sends more.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSystemUnderTest } from '../../chaos/test/support/systemUnderTest.ts';
import { ReplyChecker } from '../src/fuzz/checkReply.ts';
import { curlOf, fuzz } from '../src/fuzz/fuzz.ts';
import { FUZZ_ENVIRONMENT, makeFuzzRecords } from '../src/fuzz/fuzzRecords.ts';

test('300 requests are answered as the documents state', { timeout: 240_000 }, async (t) => {
  const { system, env } = await startSystemUnderTest(t, FUZZ_ENVIRONMENT);
  const records = await makeFuzzRecords({
    url: system.monolith.url,
    client: system.client,
    mongodbUrl: env['MONGODB_URL'] ?? '',
  });
  t.after(() => records[Symbol.asyncDispose]());
  const [coach] = system.coaches;
  assert.ok(coach !== undefined);
  for (const [url, requestCount, refusals] of [
    [system.monolith.url, 270, [400, 401, 403]],
    // One of its operations asks for a token.
    [coach.url, 30, [400]],
  ] as const) {
    const { faults, statuses, unsuccessful } = await fuzz({ url, records, requestCount, seed: 1 });
    const described = faults.map(({ request, fault }) => `${fault}\n${curlOf(request)}`);
    assert.deepEqual(described, []);
    assert.deepEqual(unsuccessful, [], 'each operation succeeds at least once');
    const all = new Set([...statuses.values()].flatMap((counts) => [...counts.keys()]));
    for (const status of refusals) assert.ok(all.has(status), `${status} of ${url}`);
  }
});

test('a status, a media type and a body that the document does not state are found', () => {
  const checker = new ReplyChecker({
    openapi: '3.1.0',
    info: { title: 'One route', version: '1', description: '' },
    servers: [],
    tags: [],
    paths: {
      '/one': {
        get: {
          operationId: 'getOne',
          summary: '',
          tags: [],
          security: [],
          responses: {
            200: {
              content: { 'application/json': { schema: { $ref: '#/components/schemas/One' } } },
            },
          },
        },
      },
    },
    components: {
      schemas: {
        One: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
      },
      securitySchemes: {},
    },
  });
  const faultOf = (status: number, mediaType: string, text: string) =>
    checker.fault('getOne', true, { status, mediaType, text });
  assert.equal(faultOf(200, 'application/json', '{"id":"a"}'), undefined);
  assert.match(
    faultOf(200, 'application/json', '{"id":1}') ?? '',
    /the body is not as stated: \/id/,
  );
  assert.match(faultOf(200, 'text/html', '') ?? '', /the media type 'text\/html' of 200/);
  assert.match(faultOf(404, 'application/json', '') ?? '', /the status 404/);
  for (const status of [500, 503])
    assert.match(faultOf(status, 'application/problem+json', '{}') ?? '', /a defect/);
});
