/** Goal: a dead connection is noticed, whenever it dies, and the page reconnects. Method: a server and a clock by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Connection } from '../../src/page/connection.js';

type Answer = (init: { signal: AbortSignal; headers: Record<string, string> }) => Promise<Response>;

const IDLE_TIMEOUT_MS = 40_000;

/** Each request gets the next answer; requests after the last one get none. */
function connect(t: TestContext, answers: Answer[]) {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] });
  const asked: string[] = [];
  t.mock.method(globalThis, 'fetch', (url: string, init: Parameters<Answer>[0]) => {
    asked.push(`${url} ${init.headers['last-event-id']}`);
    return (answers.shift() ?? noAnswer)(init);
  });
  const calls: string[] = [];
  const connection = new Connection({
    onStatus: (data) => calls.push(`status ${data}`),
    onActivity: () => calls.push('activity'),
    onLost: ({ reason }) => calls.push(`lost: ${reason}`),
    onRefused: (status) => calls.push(`refused ${status}`),
  });
  t.after(() => {
    connection.close();
  });
  return { asked, calls, tick: t.mock.timers };
}

/** Accepts the request and never answers it. */
const noAnswer: Answer = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });

/** A stream that sends this text, and then nothing more. */
const streamOf =
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

/** Waits until everything that needs no timer has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a request that is not answered is aborted after the idle timeout and repeated', async (t) => {
  const { asked, calls, tick } = connect(t, []);
  tick.tick(IDLE_TIMEOUT_MS - 1);
  await settled();
  assert.deepEqual(calls, []);
  tick.tick(1);
  await settled();
  assert.deepEqual(calls, ['lost: the server does not answer']);
  tick.tick(2_000);
  await settled();
  assert.equal(asked.length, 2);
});

test('a stream without data is aborted after the idle timeout and resumed after its last event', async (t) => {
  const { asked, calls, tick } = connect(t, [streamOf('event: status\nid: 7\ndata: 1\n\n')]);
  await settled();
  assert.deepEqual(calls, ['activity', 'status 1']);
  tick.tick(IDLE_TIMEOUT_MS - 1);
  await settled();
  assert.equal(calls.length, 2);
  tick.tick(1);
  await settled();
  assert.equal(calls.at(-1), 'lost: the server does not answer');
  tick.tick(2_000);
  await settled();
  assert.deepEqual(asked, ['/events ', '/events 7']);
});

for (const status of [401, 403])
  test(`after ${status} the page does not ask again`, async (t) => {
    const { asked, calls, tick } = connect(t, [
      () => Promise.resolve(new Response(null, { status })),
    ]);
    await settled();
    tick.tick(60_000);
    await settled();
    assert.deepEqual([calls, asked.length], [[`refused ${status}`], 1]);
  });
