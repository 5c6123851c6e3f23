/** Goal: an invalid body is refused with its first fault. Method: many invalid bodies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePayload, newJob } from '@fit/jobs';
import fc from 'fast-check';
import Type from 'typebox';
import { decodeJob, encodeJob, MalformedMessage } from '../../src/record/jobMessage.ts';

const check = compilePayload(
  Type.Object({ minutes: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
);
const payloadOf = (kind: string) => (kind === 'trivial' ? check : undefined);
const good = { version: 1, id: 'a', kind: 'trivial', generation: 1, payload: { minutes: 5 } };
const now = new Date();

function reasonOf(body: string | Buffer, isSigned = false): string {
  try {
    decodeJob(Buffer.from(body), payloadOf, () => isSigned);
  } catch (error) {
    assert.ok(error instanceof MalformedMessage, String(error));
    return error.message;
  }
  return 'accepted';
}
const reasonWith = (change: object) => reasonOf(JSON.stringify({ ...good, ...change }));

test('an encoded job is decoded to the same message', () => {
  const requested = { kind: 'trivial', key: 'u:2026-01-01', payload: { minutes: 5 } };
  const job = newJob(requested, { runId: 'r', batch: 'b', now });
  const decoded = decodeJob(encodeJob(job), payloadOf, () => true);
  assert.deepEqual(decoded, {
    id: 'trivial:u:2026-01-01',
    kind: 'trivial',
    generation: 1,
    runId: 'r',
    createdAt: now.getTime(),
    payload: { minutes: 5 },
    signedRunId: 'r',
  });
  const unsigned = decodeJob(encodeJob(job), payloadOf, () => false);
  assert.deepEqual(unsigned, { ...decoded, signedRunId: undefined });
});

test('a signed body is refused only for its size, its version, its kind or its payload', () => {
  const signedWith = (change: object) => reasonOf(JSON.stringify({ ...good, ...change }), true);
  assert.equal(signedWith({}), 'accepted');
  assert.equal(signedWith({ version: 2 }), 'version 2 is unknown; this reader knows 1');
  assert.equal(signedWith({ kind: 'other' }), "kind 'other' is unknown");
  assert.match(signedWith({ payload: { minutes: 0 } }), /^payload\/minutes: /);
  assert.match(signedWith({ more: ' '.repeat(65_536) }), /bytes exceed 65536$/);
});

test('a body that is no JSON or no envelope is refused', () => {
  for (const body of ['', '{', 'hello', Buffer.from([0xff, 0xfe, 0x00]), '{"a":1}x'])
    assert.equal(reasonOf(body), 'the body is not JSON');
  for (const body of ['null', '7', '"x"', '[]', '{}', '[[[[]]]]'])
    assert.match(reasonOf(body), /^\//, body);
});

test('wrong types, missing and unknown properties are named', () => {
  assert.match(reasonWith({ id: 7 }), /^\/id: /);
  assert.match(reasonWith({ id: '' }), /^\/id: /);
  assert.match(reasonWith({ id: 'x'.repeat(201) }), /^\/id: /);
  assert.match(reasonWith({ generation: 0 }), /^\/generation: /);
  assert.match(reasonWith({ generation: 1.5 }), /^\/generation: /);
  assert.match(reasonWith({ generation: '1' }), /^\/generation: /);
  assert.match(reasonWith({ runId: '' }), /^\/runId: /);
  assert.match(reasonWith({ runId: 'x'.repeat(101) }), /^\/runId: /);
  assert.match(reasonWith({ createdAt: '2026-01-01' }), /^\/createdAt: /);
  assert.notEqual(reasonWith({ extra: true }), 'accepted');
  assert.notEqual(reasonWith({ payload: undefined }), 'accepted');
});

test('an unknown version or kind is named', () => {
  assert.equal(reasonWith({ version: 2 }), 'version 2 is unknown; this reader knows 1');
  assert.equal(reasonWith({ kind: 'other' }), "kind 'other' is unknown");
  assert.equal(reasonWith({ kind: 'constructor' }), "kind 'constructor' is unknown");
});

test('a payload that is not as declared is named by its path', () => {
  assert.match(reasonWith({ payload: { minutes: 0 } }), /^payload\/minutes: /);
  assert.match(reasonWith({ payload: { minutes: 'five' } }), /^payload\/minutes: /);
  assert.match(reasonWith({ payload: null }), /^payload\/: /);
});

test('a body beyond the size limit is refused; a body of exactly that size is accepted', () => {
  const body = JSON.stringify(good);
  const atLimit = body + ' '.repeat(65_536 - body.length);
  assert.equal(reasonOf(atLimit), 'accepted');
  assert.equal(reasonOf(`${atLimit} `), '65537 bytes exceed 65536');
});

test('__proto__ in envelope or payload changes no prototype', () => {
  const text = JSON.stringify(good);
  const envelope = text.replace('{', '{"__proto__":{"polluted":true},');
  assert.notEqual(reasonOf(envelope), 'accepted');
  const payload = text.replace('{"minutes"', '{"__proto__":{"polluted":true},"minutes"');
  assert.notEqual(reasonOf(payload), 'accepted');
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('a body that is nested 30,000 deep is malformed and causes no crash', () => {
  const depth = 30_000;
  assert.notEqual(reasonOf(`${'['.repeat(depth)}${']'.repeat(depth)}`), 'accepted');
});

test('property: any bytes and any JSON are either a job or malformed', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        fc.json(),
      ),
      (body) => {
        assert.notEqual(reasonOf(body), 'accepted');
      },
    ),
  );
});

test('a message that is too deep or has too many elements is refused before a schema sees it', () => {
  const deep = `{"version":1,"payload":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  assert.equal(reasonOf(deep), 'the body is nested more than 32 deep');
  assert.equal(
    reasonWith({ payload: { minutes: Array.from({ length: 16_200 }, () => 'a') } }),
    'the body has more than 4000 elements',
  );
  assert.ok(reasonWith({ ['k'.repeat(60_000)]: 1 }).length <= 300);
});
