/** Goal: changes are broadcast, at most once a second, and nothing else is. Method: sources and a clock by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { EventStreams } from '@fit/service';
import { CachedSource } from '../../src/cachedSource.ts';
import type { JobFigures } from '../../src/status/jobFigures.ts';
import { type Status, StatusBoard } from '../../src/status/statusBoard.ts';

function openBoard(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.parse('2026-11-23T05:00:00Z') });
  const streams = new EventStreams();
  const sent = t.mock.method(streams, 'send');
  const facts: { pending: number; isStoreUp: boolean; oldest: JobFigures['oldest'] } = {
    pending: 0,
    isStoreUp: true,
    oldest: {},
  };
  const neverRead = new CachedSource({ read: () => Promise.resolve(), staleAfterMs: 1 });
  const board = new StatusBoard({
    queues: [],
    streams,
    timezone: 'UTC',
    pauseOf: () => undefined,
    sampler: { samples: [], freshness: (now) => neverRead.freshness(now) },
    readAlerts: () => Promise.reject(new Error('away')),
    readToday: () => {
      if (!facts.isStoreUp) return Promise.reject(new Error('away'));
      const { pending, oldest } = facts;
      const states = { pending, queued: 0, running: 0, waiting: 0, done: 0, dead: 0 };
      const figures = { states, oldest, at: new Date() };
      return Promise.resolve({ date: '2026-11-23', run: undefined, live: {}, figures });
    },
  });
  t.after(() => {
    board.stop();
    streams.close();
  });
  return { board, streams, facts, sentCount: () => sent.mock.callCount(), tick: t.mock.timers };
}

test('a change of the clock alone is not broadcast; a change of a number is', async (t) => {
  const { board, facts, sentCount, tick } = openBoard(t);
  await board.broadcast();
  tick.tick(5_000);
  await board.broadcast();
  assert.equal(sentCount(), 1);
  facts.pending = 3;
  tick.tick(5_000);
  await board.broadcast();
  assert.equal(sentCount(), 2);
});

test('a reader who connects after an hour without a change begins with the current time', async (t) => {
  const { board, streams, sentCount, tick } = openBoard(t);
  await board.broadcast();
  tick.tick(3_600_000);
  await board.broadcast();
  const text = String(streams.open().read());
  const { at } = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Status;
  assert.deepEqual([at, sentCount()], ['2026-11-23T06:00:00.000Z', 1]);
});

test('while the database is away, ages are those of its last answer', async (t) => {
  const { board, facts, tick } = openBoard(t);
  facts.oldest = { pending: new Date('2026-11-23T04:59:00Z') };
  await board.read();
  facts.isStoreUp = false;
  tick.tick(60_000);
  const { today } = await board.read();
  assert.deepEqual([today.freshness.isStale, today.outbox?.oldestAgeSeconds], [true, 60]);
});

test('many broadcasts within a second send one event, and a change waits for the next second', async (t) => {
  const { board, facts, sentCount, tick } = openBoard(t);
  await Promise.all([board.broadcast(), board.broadcast()]);
  facts.pending = 1;
  await board.broadcast();
  assert.equal(sentCount(), 1);
  tick.tick(3_000);
  await board.broadcast();
  assert.equal(sentCount(), 2);
});
