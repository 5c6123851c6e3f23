/**
 * Goal: open, unread and unfinished connections of a stranger are bounded and lock nobody out. Method: a real server with small
 * bounds, and clients over plain sockets that do not read or do not finish.
 */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listen } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import {
  HEADER_LIMIT_BYTES,
  HEADER_LIMIT_COUNT,
  LISTEN_BOUNDS,
  type ListenBounds,
} from '../../src/server/listen.ts';

interface Client {
  readonly socket: Socket;
  text: string;
  isClosed: boolean;
}

async function serve(
  t: TestContext,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  bounds: Partial<ListenBounds> = {},
) {
  const server = await listen(listener, '127.0.0.1', 0, bounds);
  const clients: Client[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    await server.close();
  });
  const open = (bytes = ''): Client => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const client: Client = { socket, text: '', isClosed: false };
    clients.push(client);
    socket.setEncoding('utf8').on('data', (text: string) => (client.text += text));
    socket.on('error', () => undefined).on('close', () => (client.isClosed = true));
    if (bytes !== '') socket.write(bytes);
    return client;
  };
  return { url: server.url, open };
}

function answerOk(_request: IncomingMessage, response: ServerResponse): void {
  response.end('ok');
}

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

async function answered(client: Client, count = 1): Promise<void> {
  await eventually(() => client.text.split('HTTP/1.1 200').length - 1 === count, {
    describe: () => client.text,
  });
}

test('beyond the limit the connection idle for longest is closed, and a new client is served at once', async (t) => {
  const { open } = await serve(t, answerOk, { connectionLimit: 20 });
  const oldest = open(GET);
  await answered(oldest);
  const others = Array.from({ length: 19 }, () => open());
  const busiest = open(GET);
  await answered(busiest);
  await eventually(() => oldest.isClosed, { describe: () => 'the oldest is still open' });
  const more = Array.from({ length: 15 }, () => open());
  const last = open(GET);
  await answered(last);
  const closed = () => others.filter(({ isClosed }) => isClosed).length;
  await eventually(() => closed() === 16, { describe: () => `${closed()} closed` });
  assert.deepEqual([busiest.isClosed, more.some(({ isClosed }) => isClosed)], [false, false]);
});

test('a connection whose request is handled is not closed for a new one; one that still sends its request is', async (t) => {
  const held: ServerResponse[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    held.push(response);
  };
  const { open } = await serve(t, listener, { connectionLimit: 3 });
  const whole = [open(GET), open(GET)];
  await eventually(() => held.length === 2, { describe: () => `${held.length} under way` });
  const unfinished = open('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1');
  await eventually(() => held.length === 3, { describe: () => `${held.length} under way` });
  const newcomer = open(GET);
  await eventually(() => held.length === 4, { describe: () => `${held.length} under way` });
  await eventually(() => unfinished.isClosed, { describe: () => 'the unfinished one is open' });
  const refused = open(GET);
  await eventually(() => refused.isClosed, { describe: () => 'there is no room, and it is open' });
  for (const response of held) response.end('ok');
  for (const client of [...whole, newcomer]) await answered(client);
});

test('deadlines are checked about every second', async (t) => {
  const { open } = await serve(t, answerOk, { headersTimeoutMs: 200, requestTimeoutMs: 400 });
  const halfHead = open('GET / HTTP/1.1\r\nhost:');
  const silent = open();
  // Node's own interval is half a minute.
  for (const client of [halfHead, silent])
    await eventually(() => client.isClosed, { deadlineMs: 15_000, describe: () => client.text });
  assert.match(halfHead.text, /^HTTP\/1.1 408 .*no-store.*nosniff/s);
});

test('a connection whose body goes on after the answer is closed', async (t) => {
  const { open } = await serve(t, answerOk, { lingerTimeoutMs: 500 });
  const client = open('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n1');
  await answered(client);
  await eventually(() => client.isClosed, { deadlineMs: 15_000, describe: () => client.text });
});

for (const isDiscarded of [false, true])
  test(`a chunked body that goes on after its answer is not even read, ${isDiscarded ? 'also' : 'not only'} where its handler discards it`, async (t) => {
    let socket: Socket | undefined;
    const { open } = await serve(t, (request, response) => {
      ({ socket } = request);
      if (isDiscarded) request.resume();
      response.end('ok');
    });
    const client = open('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    await answered(client);
    await eventually(() => socket?.isPaused() === true, { describe: () => 'it is still read' });
    const answeredBytes = socket?.bytesRead ?? 0;
    client.socket.write('1\r\nx\r\n'.repeat(100_000));
    await eventually(() => client.isClosed, { deadlineMs: 15_000, describe: () => client.text });
    assert.equal(socket?.bytesRead, answeredBytes);
  });

test('pipelined requests beyond the limit close their connection and no other', async (t) => {
  const held: ServerResponse[] = [];
  const { open } = await serve(t, (_request, response) => held.push(response));
  const other = open(GET);
  const client = open(GET.repeat(2_000));
  await eventually(() => client.isClosed, { describe: () => `${held.length} under way` });
  assert.equal(held.length, 1 + LISTEN_BOUNDS.pipelineLimit);
  held[0]?.end('ok');
  await answered(other);
});

test('unread answers are held up to the budget, then the connections with the largest are closed', async (t) => {
  const responses: ServerResponse[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    responses.push(response);
    response.end('x'.repeat(request.url === '/large' ? 20_000_000 : 10));
  };
  const { open } = await serve(t, listener, { unsentBudgetBytes: 30_000_000 });
  const heldBytes = () =>
    responses
      .filter(({ destroyed }) => !destroyed)
      .reduce((sum, { writableLength }) => sum + writableLength, 0);
  const clients = Array.from({ length: 4 }, () => {
    const client = open();
    client.socket.pause();
    client.socket.write(GET.replace('/', '/large'));
    return client;
  });
  await eventually(() => responses.length === clients.length, {
    describe: () => `${responses.length} answered`,
  });
  await answered(open(GET));
  await eventually(() => heldBytes() <= 30_000_000, { describe: () => `${heldBytes()} held` });
  assert.ok(heldBytes() > 0, 'one of them may go on');
});

test('a connection whose answer is not read in time is closed', async (t) => {
  const responses: ServerResponse[] = [];
  const listener = (_request: IncomingMessage, response: ServerResponse) => {
    responses.push(response);
    response.end('x'.repeat(10_000_000));
  };
  const { open } = await serve(t, listener, { unreadTimeoutMs: 500 });
  const client = open();
  client.socket.pause();
  client.socket.write(GET);
  await eventually(() => responses[0]?.closed, {
    deadlineMs: 15_000,
    describe: () => `${responses[0]?.writableLength ?? 0} bytes are still held`,
  });
  assert.equal(responses[0]?.writableFinished, false, 'it was cut, not read');
});

test('headers are bounded in bytes and in number: 431 beyond', async (t) => {
  const { open } = await serve(t, answerOk);
  const head = (lines: string) => `GET / HTTP/1.1\r\nhost: x\r\n${lines}\r\n`;
  await answered(open(head('a:b\r\n'.repeat(HEADER_LIMIT_COUNT - 1))));
  await answered(open(head(`a: ${'x'.repeat(HEADER_LIMIT_BYTES - 200)}\r\n`)));
  const beyond = ['a:b\r\n'.repeat(HEADER_LIMIT_COUNT), `a: ${'x'.repeat(HEADER_LIMIT_BYTES)}\r\n`];
  for (const lines of beyond) {
    const client = open(head(lines));
    await eventually(() => client.isClosed, { describe: () => client.text });
    assert.match(client.text, /^HTTP\/1.1 431 .*no-store.*nosniff/s);
  }
});

test('a request that is not HTTP is answered with 400 and the headers of every answer', async (t) => {
  const { open } = await serve(t, answerOk);
  const client = open('\x16\x03\x01 hello\r\n\r\n');
  await eventually(() => client.isClosed, { describe: () => client.text });
  assert.match(client.text, /^HTTP\/1.1 400 Bad Request\r\n.*no-store.*nosniff/s);
});

test('a client that waits for 100 Continue is answered by the handler', async (t) => {
  const { open } = await serve(t, (_request, response) => {
    response.writeHead(401).end();
  });
  const client = open(
    'POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n',
  );
  await eventually(() => client.text !== '', { describe: () => 'no answer' });
  assert.match(client.text, /^HTTP\/1.1 401 /);
});
