/** Goal: no silence goes unnoticed, whenever it begins, and the page comes back. Method: a server and a clock by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Connection } from '../../src/page/connection.js';

type Answer = (init: { signal: AbortSignal; headers: Record<string, string> }) => Promise<Response>;

const SILENCE_MS = 40_000;

/** Each request gets the next answer; past the last one none comes. */
function connect(t: TestContext, answers: Answer[]) {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] });
  const asked: string[] = [];
  t.mock.method(globalThis, 'fetch', (url: string, init: Parameters<Answer>[0]) => {
    asked.push(`${url} ${init.headers['last-event-id']}`);
    return (answers.shift() ?? silent)(init);
  });
  const told: string[] = [];
  const connection = new Connection('token', {
    onStatus: (data) => told.push(`status ${data}`),
    onLife: () => told.push('life'),
    onLost: ({ reason }) => told.push(`lost: ${reason}`),
    onRefused: () => told.push('refused'),
  });
  t.after(() => {
    connection.close();
  });
  return { asked, told, tick: t.mock.timers };
}

/** The request is taken, and nothing is answered. */
const silent: Answer = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });

/** A stream that says this, then nothing more. */
const saying =
  (text: string): Answer =>
  ({ signal }) => {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      controller.enqueue(new TextEncoder().encode(text));
      signal.addEventListener('abort', () => {
        controller.error(new Error('aborted'));
      });
    };
    return Promise.resolve(new Response(new ReadableStream({ start })));
  };

/** Whatever is under way without a timer comes to rest. */
const rest = () => new Promise((resolve) => setImmediate(resolve));

test('a server that takes the request and never answers is given up, and asked again', async (t) => {
  const { asked, told, tick } = connect(t, []);
  tick.tick(SILENCE_MS - 1);
  await rest();
  assert.deepEqual(told, []);
  tick.tick(1);
  await rest();
  assert.deepEqual(told, ['lost: the server does not answer']);
  tick.tick(2_000);
  await rest();
  assert.equal(asked.length, 2);
});

test('a stream that falls silent is given up, counted from its last word, and resumed after it', async (t) => {
  const { asked, told, tick } = connect(t, [saying('event: status\nid: 7\ndata: 1\n\n')]);
  await rest();
  assert.deepEqual(told, ['life', 'status 1']);
  tick.tick(SILENCE_MS - 1);
  await rest();
  assert.equal(told.length, 2);
  tick.tick(1);
  await rest();
  assert.equal(told.at(-1), 'lost: the server does not answer');
  tick.tick(2_000);
  await rest();
  assert.deepEqual(asked, ['/events ', '/events 7']);
});

test('a refused token is not tried again', async (t) => {
  const { asked, told, tick } = connect(t, [
    () => Promise.resolve(new Response(null, { status: 401 })),
  ]);
  await rest();
  tick.tick(60_000);
  await rest();
  assert.deepEqual([told, asked.length], [['refused'], 1]);
});
