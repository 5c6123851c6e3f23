/**
 * Goal: each body and all bodies together are bounded by the memory that they take, and a body is not read without the token.
 * Method: a real server with a small budget, and unfinished bodies over plain sockets.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createApp, defineRoute, listen } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import Type from 'typebox';
import { ByteBudget } from '../../src/server/readBody.ts';
import { acceptToken } from '../support/acceptToken.ts';

/** One byte a character, so that a body is within the limit of every route. */
const PAD = Type.String({ pattern: '^[a-z]*$', maxLength: 90_000 });
const TOKEN = 'a-token-of-more-than-thirty-two-characters';
const BUDGET_BYTES = 64 * 1024;

async function serve(t: TestContext, budgetBytes = BUDGET_BYTES) {
  const bodies = new ByteBudget(budgetBytes);
  const handled: unknown[] = [];
  const waiting: (() => void)[] = [];
  const app = createApp({
    authenticate: acceptToken(TOKEN),
    bodies,
    onRequest: () => undefined,
    onDefect: (error) => {
      assert.ifError(error);
    },
    routes: [
      defineRoute({
        method: 'post',
        audit: { none: 'A route of this test.' },
        paths: ['/echo'],
        access: ['admin'],
        summary: 'A route of this test',
        tag: 'Test',
        body: Type.Object({ pad: Type.Optional(PAD) }, { additionalProperties: false }),
        reply: Type.Object({ length: Type.Integer() }),
        handle: ({ body }) => {
          handled.push(body);
          return Promise.resolve({ body: { length: body.pad?.length ?? -1 } });
        },
      }),
      defineRoute({
        method: 'post',
        audit: { none: 'A route of this test.' },
        paths: ['/slow'],
        access: ['admin'],
        summary: 'A route of this test',
        tag: 'Test',
        body: Type.Object({ pad: PAD }, { additionalProperties: false }),
        reply: Type.Object({}),
        handle: async () => {
          await new Promise<void>((resolve) => waiting.push(resolve));
          return { body: {} };
        },
      }),
      defineRoute({
        method: 'get',
        paths: ['/plain'],
        access: 'open',
        summary: 'A route of this test',
        tag: 'Test',
        reply: Type.Object({}),
        handle: () => Promise.resolve({ body: {} }),
      }),
    ],
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });
  /** Sends what is given and leaves the connection open, whether it is a whole request or not. */
  const send = (bytes: string) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    const answer = { text: '' };
    socket.setEncoding('utf8').on('data', (text: string) => (answer.text += text));
    socket.write(bytes);
    return { socket, answer };
  };
  const open = (lines: readonly string[], start: string) =>
    send(`${['POST /echo HTTP/1.1', 'host: x', ...lines].join('\r\n')}\r\n\r\n${start}`);
  return { url: server.url, send, open, bodies, handled, waiting };
}

const JSON_TYPE = 'content-type: application/json';
const ADMIN = `authorization: Bearer ${TOKEN}`;

async function post(
  url: string,
  body: string | Buffer<ArrayBuffer>,
  headers: Record<string, string> = {},
) {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
  });
  const { code, length } = (await response.json()) as { code?: string; length?: number };
  return { status: response.status, code, length, retryAfter: response.headers.get('retry-after') };
}

test('without the token the answer is 401 before the body has arrived, and the body is not read', async (t) => {
  const { open, bodies, handled } = await serve(t);
  const lines = ['content-length: 50000', JSON_TYPE];
  const { answer } = open(lines, '{"pad":"');
  await eventually(() => answer.text.includes('\r\n\r\n'), { describe: () => answer.text });
  assert.match(answer.text, /^HTTP\/1.1 401 /);
  assert.deepEqual([bodies.heldBytes, handled.length], [0, 0]);
});

test('unfinished bodies hold at most the budget; further ones are 503 with Retry-After', async (t) => {
  const { url, open, bodies } = await serve(t);
  const lines = ['content-length: 50000', JSON_TYPE, ADMIN];
  const requests = Array.from({ length: 20 }, () => open(lines, `{"pad":"${'x'.repeat(15_000)}`));
  const refused = () => requests.filter(({ answer }) => answer.text !== '');
  // 16 KiB at most for each: four fit into 64.
  await eventually(() => refused().length === 16, {
    describe: () => `${refused().length} refused, ${bodies.heldBytes} bytes held`,
  });
  for (const { answer } of refused()) {
    assert.match(answer.text, /^HTTP\/1.1 503 /);
    assert.match(answer.text, /retry-after: 1\r\n/i);
  }
  assert.ok(bodies.heldBytes <= BUDGET_BYTES && bodies.heldBytes >= 4 * 15_000);
  for (const { socket } of requests) socket.destroy();
  await eventually(() => bodies.heldBytes === 0, { describe: () => `${bodies.heldBytes} held` });
  assert.equal((await post(`${url}/echo`, '{"pad":"ok"}')).length, 2);
});

test('a body counts until its handler has ended', async (t) => {
  const { url, bodies, waiting } = await serve(t);
  const body = JSON.stringify({ pad: 'x'.repeat(40_000) });
  const first = post(`${url}/slow`, body);
  await eventually(() => waiting.length === 1, { describe: () => 'not handled yet' });
  assert.ok(bodies.heldBytes >= 40_000);
  assert.equal((await post(`${url}/slow`, body)).status, 503);
  waiting[0]?.();
  assert.equal((await first).status, 200);
  assert.equal(bodies.heldBytes, 0);
});

test('a declared length reserves nothing, and chunks of one byte count by their bytes', async (t) => {
  const { open, bodies } = await serve(t);
  open(['content-length: 100000', JSON_TYPE, ADMIN], '{');
  const tiny = '1\r\nx\r\n'.repeat(10_000);
  open(['transfer-encoding: chunked', JSON_TYPE, ADMIN], tiny);
  await eventually(() => bodies.heldBytes >= 14_000, { describe: () => `${bodies.heldBytes}` });
  assert.ok(bodies.heldBytes <= 4_096 + 20_480, String(bodies.heldBytes));
});

test('a body beyond the limit is 413, declared or not, compressed or not, and holds nothing afterwards', async (t) => {
  const { url, open, bodies } = await serve(t, 1024 * 1024);
  const large = JSON.stringify({ pad: 'x'.repeat(200_000) });
  assert.deepEqual((await post(`${url}/echo`, large)).status, 413);
  const bombs: [string, Buffer<ArrayBuffer>][] = [
    ['gzip', gzipSync('x'.repeat(10_000_000))],
    ['deflate', deflateSync('x'.repeat(10_000_000))],
    ['br', brotliCompressSync('x'.repeat(10_000_000))],
  ];
  for (const [encoding, bomb] of bombs) {
    const { status, code } = await post(`${url}/echo`, bomb, { 'content-encoding': encoding });
    assert.deepEqual([status, code], [413, 'body_too_large'], encoding);
  }
  const { answer } = open(
    ['transfer-encoding: chunked', JSON_TYPE, ADMIN],
    `1ffff\r\n${'x'.repeat(0x1ffff)}`,
  );
  await eventually(() => answer.text !== '', { describe: () => 'no answer to an endless body' });
  assert.match(answer.text, /^HTTP\/1.1 413 /);
  assert.equal(bodies.heldBytes, 0);
});

test('compressed bodies are decompressed, and bodies that are not compressed as declared are refused', async (t) => {
  const { url, bodies } = await serve(t, 1024 * 1024);
  const body = JSON.stringify({ pad: 'x'.repeat(50_000) });
  const good: [string, Buffer<ArrayBuffer>][] = [
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['br', brotliCompressSync(body)],
  ];
  for (const [encoding, sent] of good)
    assert.equal(
      (await post(`${url}/echo`, sent, { 'content-encoding': encoding })).length,
      50_000,
    );
  const broken = await post(`${url}/echo`, body, { 'content-encoding': 'gzip' });
  assert.deepEqual([broken.status, broken.code], [400, 'invalid_encoding']);
  const unknown = await post(`${url}/echo`, body, { 'content-encoding': 'zstd-like' });
  assert.deepEqual([unknown.status, unknown.code], [415, 'unsupported_encoding']);
  assert.equal(bodies.heldBytes, 0);
});

test('a sender that leaves in the middle releases its share and is not reported as a defect', async (t) => {
  const { open, bodies } = await serve(t);
  const lines = ['content-length: 50000', JSON_TYPE, ADMIN];
  const { socket } = open(lines, '{"pad":"');
  await eventually(() => bodies.heldBytes > 0, { describe: () => 'nothing is held' });
  socket.destroy();
  await eventually(() => bodies.heldBytes === 0, { describe: () => `${bodies.heldBytes} held` });
});

test('a route without a body discards it, and the connection continues with the next request', async (t) => {
  const { send } = await serve(t);
  const body = 'x'.repeat(300_000);
  const one = `GET /plain HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const { answer } = send(one + one);
  await eventually(() => answer.text.match(/HTTP\/1.1 200 /g)?.length === 2, {
    describe: () => answer.text,
  });
});
