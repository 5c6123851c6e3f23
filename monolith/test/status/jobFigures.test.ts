/** Goal: the figures agree with the records, at any size. Method: calls without I/O, and one reading of a real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wodId } from '@fit/contract';
import { newJob, pageBatchId } from '@fit/jobs';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { type JobFacts, jobFigures, readJobFigures } from '../../src/status/jobFigures.ts';
import { ends, expanded, runRecord } from '../support/runs.ts';

const at = new Date('2026-11-23T05:10:00Z');
const minutesAgo = (minutes: number) => new Date(at.getTime() - minutes * 60_000);

function figuresOf(facts: Partial<JobFacts>) {
  return jobFigures({
    activeRuns: [],
    openBatches: { pageJobs: 0, otherJobs: 0, oldestAt: undefined },
    oldestPublishedAt: undefined,
    indexed: { states: {}, causes: {} },
    oldestEligible: {},
    estimatedCount: 0,
    at,
    ...facts,
  });
}

test('a run that is recorded in part has pending users, and its other jobs are queued, running, waiting or done', () => {
  const run = runRecord({
    total: 5_000,
    expanded: 3_000,
    created: 2_900,
    skipped: 100,
    ends: ends({ done: 1_000 }),
  });
  const { states } = figuresOf({
    activeRuns: [run],
    openBatches: { pageJobs: 1_000, otherJobs: 0, oldestAt: minutesAgo(1) },
    indexed: { states: { running: 10, waiting: 90, dead: 5 }, causes: { exhausted: 5 } },
    estimatedCount: 10_005,
  });
  assert.deepEqual(states, {
    pending: 2_000,
    queued: 1_800,
    running: 10,
    waiting: 90,
    done: 10_005 - 1_000 - 1_800 - 10 - 90 - 5,
    dead: 5,
  });
});

test('jobs that the broker has to get again are pending and not queued', () => {
  const { states } = figuresOf({
    activeRuns: [runRecord({ ...expanded(100), ends: ends({ done: 40 }) })],
    openBatches: { pageJobs: 0, otherJobs: 25, oldestAt: minutesAgo(2) },
  });
  assert.deepEqual([states.pending, states.queued], [25, 35]);
});

test('the age of the outbox is that of the oldest open batch, or of an unfinished run that makes no progress', () => {
  const resting = runRecord({ progressAt: minutesAgo(3) });
  const busy = runRecord({ createdAt: minutesAgo(30), progressAt: minutesAgo(0) });
  const recorded = runRecord({ ...expanded(5), progressAt: minutesAgo(20) });
  const open = (oldestAt: Date | undefined) => ({ pageJobs: 1, otherJobs: 0, oldestAt });
  const oldestOf = (facts: Partial<JobFacts>) => figuresOf(facts).oldest.pending;
  assert.deepEqual(oldestOf({ activeRuns: [resting, busy, recorded] }), minutesAgo(3));
  assert.deepEqual(
    oldestOf({ activeRuns: [busy], openBatches: open(minutesAgo(7)) }),
    minutesAgo(7),
  );
  assert.equal(oldestOf({ activeRuns: [recorded] }), undefined);
});

test('the figures are read from the records of a real database', async (t) => {
  const store = await testStore(t);
  const { jobs, runs, batches, clock } = store;
  const sources = { jobs, runs, batches, clock, kinds: ['createWod'] };
  const date = '2026-12-05';
  const run = await runs.insertIfAbsent({ _id: 'r', request: {}, requestHash: 'h' }, 'me');
  await runs.setTotal(run._id, 9);
  const page = async (after: string, users: readonly string[], number: number) => {
    const batch = pageBatchId(run._id, after);
    const now = clock.now();
    const records = users.map((userId) =>
      newJob(
        { kind: 'createWod', key: wodId(userId, date), payload: {} },
        { runId: run._id, batch, now },
      ),
    );
    const ids = records.map(({ _id }) => _id);
    const last = users.at(-1) ?? '';
    const parts = { _id: batch, runId: run._id, page: number, after, last, kind: 'createWod', ids };
    const stored = await batches.insert({ ...parts, createdAt: now, owner: 'me' }, now);
    await jobs.insert(records);
    assert.ok(stored !== undefined);
    return { stored, ids };
  };
  const first = await page('', ['a', 'b', 'c', 'd'], 0);
  await batches.markPublished(first.stored);
  await runs.recordPage(run._id, {
    stored: { nextPage: 1, cursor: 'd', pageCount: undefined },
    created: 4,
    skipped: 0,
    refused: 0,
  });
  await jobs.finish({ ids: first.ids.slice(0, 1), attemptCount: 1, workerId: 'w' });
  await runs.addEnds(run._id, { done: 1, dead: 0, cancelled: 0, causes: {} });
  await jobs.renewRunning(first.ids.slice(1, 2));
  await page('d', ['e', 'f'], 1);
  const { states, oldest } = await readJobFigures(sources);
  assert.deepEqual([states.pending, states.queued, states.running, states.dead], [5, 2, 1, 0]);
  assert.deepEqual(Object.keys(oldest).sort(), ['pending', 'queued', 'running']);
});
