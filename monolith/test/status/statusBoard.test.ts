/** Goal: readers are told of changes, once a second at most, and of nothing else. Method: sources by hand, the clock too. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { EventStreams } from '@fit/service';
import { CachedSource } from '../../src/cachedSource.ts';
import { type Status, StatusBoard } from '../../src/status/statusBoard.ts';

function openBoard(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.parse('2026-11-23T05:00:00Z') });
  const streams = new EventStreams();
  const sent = t.mock.method(streams, 'send');
  const world = { pendingCount: 0, isStoreUp: true, oldest: {} };
  const silent = new CachedSource({ ask: () => Promise.resolve(), staleMs: 1 });
  const board = new StatusBoard({
    queues: [],
    streams,
    timezone: 'UTC',
    sampler: { samples: [], freshness: (now) => silent.freshness(now) },
    askAlerts: () => Promise.reject(new Error('away')),
    askToday: () => {
      if (!world.isStoreUp) return Promise.reject(new Error('away'));
      const { pendingCount, oldest } = world;
      const counts = { states: {}, causes: {} };
      return Promise.resolve({ date: '2026-11-23', run: undefined, counts, oldest, pendingCount });
    },
  });
  t.after(() => {
    board.stop();
    streams.close();
  });
  return { board, streams, world, told: () => sent.mock.callCount(), tick: t.mock.timers };
}

test('a clock that goes on is no change; a number is', async (t) => {
  const { board, world, told, tick } = openBoard(t);
  await board.tell();
  tick.tick(5_000);
  await board.tell();
  assert.equal(told(), 1);
  world.pendingCount = 3;
  tick.tick(5_000);
  await board.tell();
  assert.equal(told(), 2);
});

test('who comes after an hour in which nothing changed begins with the clock of now', async (t) => {
  const { board, streams, told, tick } = openBoard(t);
  await board.tell();
  tick.tick(3_600_000);
  await board.tell();
  const text = String(streams.open().read());
  const { at } = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Status;
  assert.deepEqual([at, told()], ['2026-11-23T06:00:00.000Z', 1]);
});

test('with the store away its numbers are those of then: no age grows on', async (t) => {
  const { board, world, tick } = openBoard(t);
  world.oldest = { pending: new Date('2026-11-23T04:59:00Z') };
  await board.read();
  world.isStoreUp = false;
  tick.tick(60_000);
  const { today } = await board.read();
  assert.deepEqual([today.freshness.isStale, today.outbox?.oldestAgeSeconds], [true, 60]);
});

test('many who come in one second are told once, and a change waits for the next', async (t) => {
  const { board, world, told, tick } = openBoard(t);
  await Promise.all([board.tell(), board.tell()]);
  world.pendingCount = 1;
  await board.tell();
  assert.equal(told(), 1);
  tick.tick(3_000);
  await board.tell();
  assert.equal(told(), 2);
});
