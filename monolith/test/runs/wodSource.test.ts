/** Goal: the pages of a run have each of its users once, with profile and trace. Method: users in a real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewJob, RunRecord } from '@fit/jobs';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { wodSource } from '../../src/runs/wodSource.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { runRecord } from '../support/runs.ts';

const FOR_SOME = { request: { date: '2026-12-05', isForEveryone: false } };
const idOf = (index: number) => `user-${String(index).padStart(3, '0')}`;

async function openUsers(t: Parameters<typeof testStore>[0], count: number): Promise<UserStore> {
  const users = new UserStore((await testStore(t)).database);
  const profiles = Array.from({ length: count }, (_, index) => ({
    id: idOf(index),
    level: 'rx' as const,
    equipment: ['barbell' as const],
  }));
  // The users are not created in the order of their ids.
  await users.create(profiles.toReversed(), new Date());
  return users;
}

async function readAll(
  source: ReturnType<typeof wodSource>,
  run: RunRecord,
  limit: number,
): Promise<NewJob[][]> {
  const pages: NewJob[][] = [];
  for (let after = ''; ; ) {
    const page = await source.page(run, after, limit);
    pages.push([...page.jobs]);
    if (page.isLast) return pages;
    assert.ok(page.last > after);
    after = page.last;
  }
}

test('a run for everyone has all users in the order of their ids, each with the profile', async (t) => {
  const users = await openUsers(t, 25);
  const source = wodSource({ users, largeRunShare: 0 });
  const run = runRecord({ request: { date: '2026-12-05', isForEveryone: true } });
  const pages = await readAll(source, run, 10);
  assert.deepEqual(
    pages.map(({ length }) => length),
    [10, 10, 5],
  );
  assert.deepEqual(
    pages.flat().map(({ key }) => key),
    Array.from({ length: 25 }, (_, index) => `${idOf(index)}:2026-12-05`),
  );
  assert.deepEqual(pages[0]?.[0], {
    kind: 'createWod',
    key: 'user-000:2026-12-05',
    payload: {
      userId: 'user-000',
      date: '2026-12-05',
      level: 'rx',
      equipment: ['barbell'],
      exclusions: [],
    },
    trace: undefined,
  });
  assert.equal(await source.count(run), 25);
  assert.deepEqual(
    (await readAll(source, run, 25)).map(({ length }) => length),
    [25, 0],
  );
});

test('a run for some users has only these; one that was deleted is left out', async (t) => {
  const users = await openUsers(t, 25);
  const source = wodSource({ users, largeRunShare: 0 });
  const run = runRecord({ ...FOR_SOME, items: ['nobody', idOf(3), idOf(7)].sort() });
  for (const [limit, pageCount] of [
    [1, 3],
    [2, 2],
    [3, 1],
    [10, 1],
  ] as const) {
    const pages = await readAll(source, run, limit);
    assert.equal(pages.length, pageCount);
    const jobs = pages.flat();
    assert.deepEqual(
      jobs.map(({ key }) => key),
      [idOf(3), idOf(7)].map((id) => `${id}:2026-12-05`),
    );
  }
  assert.equal(await source.count(run), 3);
});

test('a small run shares the trace of its request; of a large one the chosen share of jobs is linked to it', async (t) => {
  const users = await openUsers(t, 110);
  const run = runRecord({ traceparent: 'trace' });
  const tracesOf = async (largeRunShare: number, given: RunRecord) => {
    const jobs = (await readAll(wodSource({ users, largeRunShare }), given, 105)).flat();
    return [...new Set(jobs.map(({ trace }) => JSON.stringify(trace)))];
  };
  assert.deepEqual(await tracesOf(0, run), [undefined]);
  // The last page is small, and its jobs belong to a large run nevertheless.
  assert.deepEqual(await tracesOf(1, run), ['{"tracelinks":["trace"]}']);
  const some = runRecord({
    traceparent: 'trace',
    ...FOR_SOME,
    items: [idOf(1), idOf(2)],
  });
  assert.deepEqual(await tracesOf(0, some), ['{"traceparent":"trace"}']);
  assert.deepEqual(await tracesOf(1, runRecord()), [undefined]);
});
