/**
 * Goal: writers of the same jobs never block each other, in whatever order they get the jobs. Method: ten concurrent writers on
 * the real database, in two opposite orders, within a deadline.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '@fit/jobs/store';
import { pendingJob } from '../support/fakes.ts';
import { testStore } from '../support/testStore.ts';

const JOB_COUNT = 2_000;
const WRITER_COUNT = 10;
/** Sorted writes take a few seconds on a busy machine; in differing orders they took minutes. */
const DEADLINE_MS = 60_000;

const RUN_IDS = Array.from({ length: WRITER_COUNT }, (_, index) => `run-${index}`);

/** @returns the items, reversed for every second writer: opposite orders block most. */
function inOrderOf<Item>(writer: number, items: readonly Item[]): Item[] {
  return writer % 2 === 0 ? [...items] : items.toReversed();
}

async function withinDeadline<Answer>(work: Promise<Answer>[]): Promise<Answer[]> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    deadline.reject(new Error(`the writers did not end within ${DEADLINE_MS} ms`));
  }, DEADLINE_MS);
  try {
    return await Promise.race([Promise.all(work), deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}

test('ten concurrent runs that request the same new jobs all end, and each job is created once', async (t) => {
  const store = await testStore(t);
  const jobs = Array.from({ length: JOB_COUNT }, () => pendingJob());
  const existing = await withinDeadline(
    RUN_IDS.map((runId, writer) =>
      store.jobs.insert(inOrderOf(writer, jobs).map((job) => ({ ...job, runId }))),
    ),
  );
  assert.equal(
    existing.reduce((sum, { size }) => sum + JOB_COUNT - size, 0),
    JOB_COUNT,
  );
  assert.equal((await store.jobs.findAll(jobs.map(({ _id }) => _id))).size, JOB_COUNT);
});

test('ten concurrent workers that finish the same jobs all end, and each job is finished once', async (t) => {
  const store = await testStore(t);
  const jobs = Array.from({ length: JOB_COUNT }, () => pendingJob());
  await store.jobs.insert(jobs);
  const counts = await withinDeadline(
    RUN_IDS.map((workerId, writer) => {
      const ids = inOrderOf(writer, jobs).map(({ _id }) => _id);
      return store.jobs.finish({ ids, attemptCount: 1, workerId });
    }),
  );
  assert.equal(
    counts.reduce((sum, { finished }) => sum + finished, 0),
    JOB_COUNT,
  );
  const records = [...(await store.jobs.findAll(jobs.map(({ _id }) => _id))).values()];
  assert.ok(records.every(({ state }) => state === 'done'));
});

test('each job of a batch stores its own attempt, spent count and death', async (t) => {
  const store = await testStore(t);
  const jobs = Array.from({ length: 30 }, () => pendingJob());
  await store.jobs.insert(jobs);
  const endOf = (index: number) => new Date(1_000 + index);
  const changes = jobs.map(
    ({ _id: id, generation }, index): Change => ({
      id,
      generation,
      spentCount: 3 + index,
      attempt: {
        number: 1,
        generation,
        startedAt: new Date(index),
        endedAt: endOf(index),
        outcome: 'retry',
        workerId: 'worker',
        // An update pipeline would read this text as the name of a field.
        error: { class: 'Error', message: `$attempts ${index}`, fingerprint: 'f' },
      },
      death: { cause: 'exhausted', fingerprint: 'f', reason: `$_id ${index}`, at: endOf(index) },
    }),
  );
  assert.equal(await store.jobs.change('markDead', changes.toReversed()), jobs.length);
  const records = await store.jobs.findAll(jobs.map(({ _id }) => _id));
  for (const [index, { id, attempt, death }] of changes.entries()) {
    const record = records.get(id);
    assert.deepEqual(record?.attempts, [attempt]);
    assert.deepEqual(record.death, death);
    assert.equal(record.attemptCount, 3 + index);
  }
});
