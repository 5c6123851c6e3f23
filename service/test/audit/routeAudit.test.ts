/**
 * Goal: no route that changes something is without a statement about its audit entry, and no change is without its entry. Method:
 * definitions that must be refused; a server whose audit is in memory.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { StoreUnavailable } from '@fit/jobs';
import {
  type AuditLog,
  type BegunEntry,
  createApp,
  defineRoute,
  type EntryEnd,
  listen,
  Problem,
} from '@fit/service';
import Type from 'typebox';
import { acceptToken } from '../support/acceptToken.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const TAKEN = { status: 409, code: 'taken', when: 'the test says so' } as const;

const route = {
  method: 'post',
  paths: ['/things/:name'],
  access: ['admin'],
  summary: 'A route of this test',
  tag: 'Test',
  params: Type.Object({ name: Type.String({ maxLength: 20 }) }),
  body: Type.Object(
    { reason: Type.Optional(Type.String({ maxLength: 100 })) },
    { additionalProperties: false },
  ),
  reply: Type.Object({ number: Type.Integer() }),
  statuses: [202],
  problems: [TAKEN],
} as const;

test('a route that changes something and states no audit is refused when it is defined', () => {
  const handle = () => Promise.resolve({ body: { number: 1 } });
  for (const method of ['post', 'put', 'patch', 'delete'] as const)
    assert.throws(() => defineRoute({ ...route, method, handle }), /states no audit/);
  const audit = { action: 'thing.make' };
  assert.throws(() => defineRoute({ ...route, method: 'get', audit, handle }), /reads/);
  assert.throws(() => defineRoute({ ...route, access: 'open', audit, handle }), /is open/);
  assert.throws(() => defineRoute({ ...route, audit: { action: 'make' }, handle }), /job\.retry/);
  assert.equal(defineRoute({ ...route, audit, handle }).audit, audit);
});

async function serve(t: TestContext, change: Partial<AuditLog> = {}) {
  const kept: (BegunEntry | EntryEnd | string)[] = [];
  const audit: AuditLog = {
    begin: (entry) => {
      kept.push(entry);
      return Promise.resolve('1');
    },
    complete: (_id, end) => {
      kept.push(end);
      return Promise.resolve();
    },
    ...change,
  };
  const defects: unknown[] = [];
  const app = createApp({
    authenticate: acceptToken(TOKEN),
    audit,
    onRequest: () => undefined,
    onDefect: (error) => defects.push(error),
    routes: [
      defineRoute({
        ...route,
        audit: {
          action: 'thing.make',
          target: ({ params }, reply) => ({ thing: params.name, number: reply?.number }),
        },
        handle: ({ params }) => {
          kept.push('change');
          if (params.name === 'taken') throw new Problem({ ...TAKEN, title: 'Taken' });
          if (params.name === 'broken') throw new Error('broken');
          return Promise.resolve({ body: { number: 7 } });
        },
      }),
    ],
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const post = async (name: string, token = TOKEN, body: object = { reason: 'because' }) =>
    (
      await fetch(`${server.url}/things/${name}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'x-request-id': 'request-1',
        },
        body: JSON.stringify(body),
      })
    ).status;
  return { kept, defects, post };
}

test('an entry is stored before the change, and completed with the answer', async (t) => {
  const { kept, defects, post } = await serve(t);
  assert.equal(await post('lamp'), 202);
  const [begun, change, end] = kept.splice(0);
  const { caller, ...entry } = begun as BegunEntry;
  assert.equal(caller.accountId, 'admin');
  assert.deepEqual(entry, {
    action: 'thing.make',
    target: { thing: 'lamp', number: undefined },
    reason: 'because',
    requestId: 'request-1',
  });
  assert.equal(change, 'change');
  assert.deepEqual(end, { target: { thing: 'lamp', number: 7 }, status: 202, code: undefined });
  assert.equal(await post('taken'), 409);
  assert.deepEqual(kept.splice(0).at(-1), { target: undefined, status: 409, code: 'taken' });
  assert.equal(await post('broken'), 500);
  assert.deepEqual(kept.splice(0).at(-1), { target: undefined, status: 500, code: 'internal' });
  assert.equal(defects.length, 1);
  // What is refused before its handler changes nothing and has no entry.
  assert.equal(await post('lamp', 'wrong'), 401);
  assert.equal(await post('lamp', TOKEN, { other: 1 }), 400);
  assert.deepEqual(kept, []);
});

test('a request whose entry cannot be stored is not carried out; one whose entry cannot be completed is', async (t) => {
  const down = () => Promise.reject(new StoreUnavailable('outage', new Error('down')));
  const { promise: never } = Promise.withResolvers<never>();
  for (const begin of [down, () => never]) {
    const { kept, post } = await serve(t, { begin });
    assert.equal(await post('lamp'), 503);
    assert.deepEqual(kept, []);
  }
  const { kept, defects, post } = await serve(t, { complete: down });
  assert.equal(await post('lamp'), 202);
  assert.equal(kept.at(-1), 'change');
  assert.deepEqual(defects, []);
});
