/** Goal: a write that is late, repeated or of an older generation changes nothing. Method: the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_STATES, type JobRecord, type JobState } from '@fit/jobs';
import type { Change } from '@fit/jobs/store';
import { TRANSITIONS, type Transition } from '../../src/record/transitions.ts';
import { settlementOf } from '../../src/settle/settlement.ts';
import { attemptEnd, pendingJob } from '../support/fakes.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const LATER = new Date('2026-01-01T13:00:00Z');

async function insert(store: TestStore, change: Partial<JobRecord> = {}): Promise<JobRecord> {
  const job: JobRecord = { ...pendingJob(), stateAt: NOW, dueAt: NOW, ...change };
  await store.jobs.accept('run', [job]);
  return job;
}

function retried(job: JobRecord, number: number, generation = job.generation): Change {
  const end = attemptEnd(number, { type: 'retry', error: new Error('no') });
  const { attempt } = settlementOf(end, 'worker').change;
  return { id: job._id, generation, attempt: { ...attempt!, generation } };
}

async function stateOf(store: TestStore, job: JobRecord): Promise<JobState | undefined> {
  return (await store.jobs.find(job._id))?.state;
}

test('accept creates new jobs; an existing job only gets the id of the run, once', async (t) => {
  const store = await testStore(t);
  const [first, second, third] = [pendingJob(), pendingJob(), pendingJob()];
  assert.deepEqual(await store.jobs.accept('run', []), { created: 0, skipped: 0 });
  assert.deepEqual(await store.jobs.accept('run', [first, second]), { created: 2, skipped: 0 });
  const again = { ...first, runIds: ['other'], payload: { outcome: 'changed' } };
  const mixed = [again, { ...third, runIds: ['other'] }];
  assert.deepEqual(await store.jobs.accept('other', mixed), { created: 1, skipped: 1 });
  // A repeated call returns the counts of the run, not those of the repetition.
  assert.deepEqual(await store.jobs.accept('other', mixed), { created: 1, skipped: 1 });
  const record = await store.jobs.find(first._id);
  assert.deepEqual(record?.runIds, ['run', 'other']);
  assert.deepEqual(record.payload, { outcome: 'done' });
  assert.deepEqual((await store.jobs.find(third._id))?.runIds, ['other']);
  assert.deepEqual([...(await store.jobs.findAll([first._id, 'nobody'])).keys()], [first._id]);
});

test('accept stores the newest twenty runs of a job', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  for (let index = 1; index <= 25; index += 1) await store.jobs.accept(`run-${index}`, [job]);
  const { runIds = [] } = (await store.jobs.find(job._id)) ?? {};
  assert.equal(runIds.length, 20);
  assert.equal(runIds.at(-1), 'run-25');
});

test('pending returns due jobs, oldest first, up to the limit', async (t) => {
  const store = await testStore(t);
  const young = await insert(store, { stateAt: LATER });
  const old = await insert(store);
  await insert(store, { dueAt: LATER });
  await insert(store, { state: 'queued' });
  const ids = async (limit: number, now: Date) =>
    (await store.jobs.pending(limit, now)).map(({ _id }) => _id);
  assert.deepEqual(await ids(10, NOW), [old._id, young._id]);
  assert.deepEqual(await ids(1, NOW), [old._id]);
  assert.equal((await ids(10, LATER)).length, 3);
  assert.deepEqual(await store.jobs.oldestEligible(), { pending: NOW, queued: NOW });
});

test('oldestEligible counts from the last change, and for a waiting job from the end of its wait', async (t) => {
  const store = await testStore(t);
  const attempt = (number: number, delayMs: number) => ({
    number,
    generation: 1,
    startedAt: NOW,
    endedAt: NOW,
    outcome: 'retry' as const,
    delayMs,
    workerId: 'worker',
  });
  await insert(store, { state: 'waiting', attempts: [attempt(1, 500), attempt(2, 9_000)] });
  await insert(store, { state: 'waiting', attempts: [attempt(1, 60_000)] });
  await insert(store, { state: 'queued' });
  await insert(store, { state: 'queued', stateAt: LATER });
  await insert(store, { state: 'done' });
  assert.deepEqual(await store.jobs.oldestEligible(), {
    waiting: new Date(NOW.getTime() + 9_000),
    queued: NOW,
  });
});

test('only legal transitions change a job, tried from every state', async (t) => {
  const store = await testStore(t);
  for (const transition of Object.keys(TRANSITIONS) as Transition[])
    for (const state of JOB_STATES) {
      const job = await insert(store, { state });
      const change = { id: job._id, generation: 1 };
      const count = await store.jobs.change(transition, [change], LATER);
      const { from, to } = TRANSITIONS[transition];
      const isLegal = (from as readonly JobState[]).includes(state);
      assert.equal(count, isLegal ? 1 : 0, `${transition} from ${state}`);
      assert.equal(await stateOf(store, job), isLegal ? to : state);
    }
});

test('a change of another generation changes nothing', async (t) => {
  const store = await testStore(t);
  const job = await insert(store, { generation: 2 });
  for (const generation of [1, 3])
    for (const transition of ['finish', 'wait', 'markDead', 'run'] as const)
      assert.equal(await store.jobs.change(transition, [{ id: job._id, generation }], LATER), 0);
  assert.equal(await stateOf(store, job), 'pending');
  assert.equal(await store.jobs.change('finish', [{ id: job._id, generation: 2 }], LATER), 1);
  assert.deepEqual((await store.jobs.find(job._id))?.doneAt, LATER);
});

test('an attempt that is recorded already is not counted twice', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  const counts: number[] = [];
  for (const number of [1, 1, 2, 1, 2])
    counts.push(await store.jobs.change('wait', [retried(job, number)], LATER));
  assert.deepEqual(counts, [1, 0, 1, 0, 0]);
  const record = await store.jobs.find(job._id);
  assert.deepEqual(
    record?.attempts.map(({ number }) => number),
    [1, 2],
  );
  assert.equal(record.attemptCount, 2);
});

test('a batch returns the number of changed records, and repeating it changes nothing', async (t) => {
  const store = await testStore(t);
  const [one, two] = [await insert(store), await insert(store, { state: 'done' })];
  const changes = [one, two].map(({ _id: id }) => ({ id, generation: 1 }));
  const batch = [...changes, { id: 'nobody', generation: 1 }];
  assert.equal(await store.jobs.change('finish', batch, LATER), 1);
  assert.equal(await store.jobs.change('finish', batch, LATER), 0);
  assert.equal(await store.jobs.change('finish', [], LATER), 0);
});

test('markQueued changes only pending jobs of its generation, and removes the deferral', async (t) => {
  const store = await testStore(t);
  const states: JobState[] = ['pending', 'running', 'waiting', 'done', 'dead'];
  const jobs = await Promise.all(states.map((state) => insert(store, { state })));
  const replayed = await insert(store, { generation: 2 });
  await store.jobs.defer([jobs[0]!], 'nacked', NOW);
  await store.jobs.markQueued([...jobs, { ...replayed, generation: 1 }], LATER);
  const after = await Promise.all(jobs.map((job) => stateOf(store, job)));
  assert.deepEqual(after, ['queued', 'running', 'waiting', 'done', 'dead']);
  assert.equal(await stateOf(store, replayed), 'pending');
  assert.equal((await store.jobs.find(jobs[0]!._id))?.deferred, undefined);
});

test('defer stores the reason and a count, and the job is not returned until it is due', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  const done = await insert(store, { state: 'done' });
  await store.jobs.defer([job, done], 'nacked', LATER);
  await store.jobs.defer([job], 'returned', LATER);
  assert.deepEqual((await store.jobs.find(job._id))?.deferred, { reason: 'returned', count: 2 });
  assert.deepEqual(await store.jobs.pending(10, NOW), []);
  assert.equal((await store.jobs.find(done._id))?.deferred, undefined);
});

test('reconcile makes stale live jobs pending with their spent attempts; other jobs do not change', async (t) => {
  const store = await testStore(t);
  const stale = await insert(store, { state: 'waiting', attemptCount: 2 });
  const busy = await insert(store, { state: 'queued', stateAt: LATER });
  const done = await insert(store, { state: 'done' });
  const pending = await insert(store);
  assert.equal(await store.jobs.countStale(LATER), 1);
  assert.equal(await store.jobs.reconcile(LATER, LATER), 1);
  assert.equal(await store.jobs.reconcile(LATER, LATER), 0);
  const record = await store.jobs.find(stale._id);
  assert.deepEqual([record?.state, record?.attemptCount], ['pending', 2]);
  assert.equal(await stateOf(store, busy), 'queued');
  assert.equal(await stateOf(store, done), 'done');
  assert.deepEqual((await store.jobs.find(pending._id))?.stateAt, NOW);
});

test('jobs are counted by run, state and cause of death', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  await insert(store, { state: 'done' });
  const death = { cause: 'fatal', fingerprint: 'f', reason: 'r', at: NOW } as const;
  await store.jobs.change('markDead', [{ id: job._id, generation: 1, death }], LATER);
  const expected = { states: { dead: 1, done: 1 }, causes: { fatal: 1 } };
  assert.deepEqual(await store.jobs.countRun('run'), expected);
  assert.deepEqual(await store.jobs.countRun('other'), { states: {}, causes: {} });
  assert.deepEqual(await store.jobs.countStates(), { dead: 1, done: 1 });
});
