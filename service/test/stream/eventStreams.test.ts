/** Goal: readers get events, are bounded in number and memory, and do not delay a stop. Method: a real server. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  type Authenticate,
  createApp,
  defineRoute,
  EVENT_STREAM_HEADERS,
  EventStreams,
  listen,
  STREAM_PROBLEMS,
} from '@fit/service';
import { eventually } from '@fit/stack/testing';
import Type from 'typebox';
import { acceptToken } from '../support/acceptToken.ts';

const TOKEN = 'a-token-of-more-than-thirty-two-characters';
const authorization = `Bearer ${TOKEN}`;

async function serve(
  t: TestContext,
  streams: EventStreams,
  authenticate: Authenticate = acceptToken(TOKEN),
) {
  const defects: unknown[] = [];
  const app = createApp({
    authenticate,
    onRequest: () => undefined,
    onDefect: (error) => defects.push(error),
    routes: [
      defineRoute({
        method: 'get',
        paths: ['/events'],
        access: ['admin'],
        summary: 'A route of this test',
        tag: 'Test',
        reply: Type.Unknown(),
        replyTypes: ['text/event-stream'],
        problems: STREAM_PROBLEMS,
        handle: ({ isStillAllowed }) =>
          Promise.resolve({ headers: EVENT_STREAM_HEADERS, body: streams.open(isStillAllowed) }),
      }),
    ],
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(async () => {
    streams.close();
    await server.close();
  });
  return { server, defects, read: readerOf(server.url) };
}

function readerOf(url: string) {
  return async (headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/events`, { headers: { authorization, ...headers } });
    const body = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    return { response, body: body! };
  };
}

async function readUntil(body: ReadableStreamDefaultReader<string>, end: RegExp): Promise<string> {
  let text = '';
  while (!end.test(text)) {
    const { value, done } = await body.read();
    if (done) throw new Error(`ended after: ${text}`);
    text += value;
  }
  return text;
}

test('the stream of a reader who may not read any more ends with the next heartbeat', async (t) => {
  const streams = new EventStreams({ heartbeatMs: 20 });
  const accept = acceptToken(TOKEN);
  let state: 'allowed' | 'unknown' | 'ended' = 'allowed';
  const { read, defects } = await serve(t, streams, async (credentials) => {
    if (state === 'unknown') throw new Error('the database does not answer');
    return state === 'ended' ? 'wrong' : await accept(credentials);
  });
  const { body } = await read();
  await readUntil(body, /still here/);
  state = 'unknown';
  await readUntil(body, /still here[^]*still here/);
  assert.equal(streams.readerCount, 1);
  state = 'ended';
  await assert.rejects(readUntil(body, /never/), /^Error: ended after/);
  assert.deepEqual(defects, []);
});

test('a reader gets the last event at once, then each new one, whatever its Last-Event-ID', async (t) => {
  const streams = new EventStreams();
  const { read } = await serve(t, streams);
  streams.send({ name: 'status', id: '7', data: '{"a":1}' });
  const { response, body } = await read({ 'last-event-id': '"; DROP' });
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.match(
    await readUntil(body, /a/),
    /^retry: \d+\n\nevent: status\nid: 7\ndata: {"a":1}\n\n$/,
  );
  streams.send({ name: 'status', id: '8', data: '{"a":2}' });
  assert.equal(await readUntil(body, /2}\n\n/), 'event: status\nid: 8\ndata: {"a":2}\n\n');
  await body.cancel();
});

test('the first event of new readers can be replaced without sending it to present readers', async (t) => {
  const streams = new EventStreams();
  const { read } = await serve(t, streams);
  streams.send({ name: 'status', id: '7', data: '{"a":1}' });
  const early = await read();
  await readUntil(early.body, /1}\n\n/);
  streams.setInitialEvent({ name: 'status', id: '7', data: '{"a":1,"at":2}' });
  const late = await read();
  assert.match(await readUntil(late.body, /}\n\n/), /\nid: 7\ndata: {"a":1,"at":2}\n\n$/);
  streams.send({ name: 'status', id: '8', data: '{"a":3}' });
  assert.equal(await readUntil(early.body, /}\n\n/), 'event: status\nid: 8\ndata: {"a":3}\n\n');
  await Promise.all([early.body.cancel(), late.body.cancel()]);
});

test('without the token there is no stream', async (t) => {
  const { server } = await serve(t, new EventStreams());
  assert.equal((await fetch(`${server.url}/events`)).status, 401);
});

test('a HEAD request is not counted as a reader', async (t) => {
  const streams = new EventStreams({ readerLimit: 1 });
  const { server } = await serve(t, streams);
  for (let count = 0; count < 3; count += 1) {
    const init = { method: 'HEAD', headers: { authorization } };
    assert.equal((await fetch(`${server.url}/events`, init)).status, 200);
    await eventually(() => streams.readerCount === 0, { describe: () => `${streams.readerCount}` });
  }
});

test('an idle stream sends heartbeats', async (t) => {
  const { read } = await serve(t, new EventStreams({ heartbeatMs: 20 }));
  const { body } = await read();
  assert.match(await readUntil(body, /here\n\n.*here\n\n/s), /^: still here$/m);
  await body.cancel();
});

test('readers beyond the limit are 503 with Retry-After until another reader leaves', async (t) => {
  const streams = new EventStreams({ readerLimit: 2 });
  const { read, defects } = await serve(t, streams);
  const [first, second] = [await read(), await read()];
  const third = await read();
  assert.deepEqual([third.response.status, third.response.headers.get('retry-after')], [503, '5']);
  await first.body.cancel();
  await eventually(() => streams.readerCount === 1, { describe: () => `${streams.readerCount}` });
  const fourth = await read();
  assert.equal(fourth.response.status, 200);
  await Promise.all([second.body.cancel(), fourth.body.cancel()]);
  assert.deepEqual(defects, [], 'a reader that leaves is not a defect');
});

test('a reader that does not read is dropped', async (t) => {
  const streams = new EventStreams();
  const { server } = await serve(t, streams);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(`GET /events HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`);
  await eventually(() => streams.readerCount === 1, { describe: () => 'not connected' });
  const data = 'x'.repeat(64 * 1024);
  let sent = 0;
  await eventually(
    () => {
      streams.send({ name: 'status', id: String(sent), data });
      sent += 1;
      return streams.readerCount === 0;
    },
    { describe: () => `${sent} events of 64 KiB, and it is still a reader` },
  );
});

test('a stop ends open streams at once and opens no further one', async (t) => {
  const streams = new EventStreams();
  const { server, read } = await serve(t, streams);
  const { body } = await read();
  await readUntil(body, /retry/);
  const startedAt = performance.now();
  streams.close();
  await server.close();
  assert.equal((await body.read()).done, true);
  assert.ok(
    performance.now() - startedAt < 4_500,
    'it did not wait until connections are closed after five seconds',
  );
  assert.throws(() => streams.open(), /stopping/);
});
