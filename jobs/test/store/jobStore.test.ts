/** Goal: a write that is late, repeated or of an older generation changes nothing. Method: the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_STATES, type JobRecord, type JobState } from '@fit/jobs';
import type { Change, JobQuery } from '@fit/jobs/store';
import type { DeathCause } from '@fit/topology';
import { TRANSITIONS, type Transition } from '../../src/record/transitions.ts';
import { pendingJob } from '../support/fakes.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const LONG_AGO = new Date('2026-01-01T12:00:00Z');
const LATER = new Date('2026-01-01T13:00:00Z');
const AT_FIRST = { attemptCount: 1, workerId: 'worker' };

async function insert(store: TestStore, change: Partial<JobRecord> = {}): Promise<JobRecord> {
  const job: JobRecord = { ...pendingJob(), stateAt: LONG_AGO, ...change };
  await store.jobs.insert([job]);
  return job;
}

function retried(job: JobRecord, number: number, generation = job.generation): Change {
  const attempt = {
    number,
    generation,
    startedAt: LONG_AGO,
    endedAt: LATER,
    outcome: 'retry' as const,
    workerId: 'worker',
  };
  return { id: job._id, generation, attempt };
}

async function stateOf(store: TestStore, job: JobRecord): Promise<JobState | undefined> {
  return (await store.jobs.find(job._id))?.state;
}

async function changeTo(store: TestStore, transition: Transition, job: JobRecord): Promise<number> {
  if (transition !== 'finish')
    return await store.jobs.change(transition, [{ id: job._id, generation: job.generation }]);
  const { finished, revived } = await store.jobs.finish({ ids: [job._id], ...AT_FIRST });
  return finished + revived;
}

test('an insert keeps existing jobs as they are, and returns their ids', async (t) => {
  const store = await testStore(t);
  const [first, second] = [await insert(store, { state: 'done' }), pendingJob()];
  const repeated = { ...first, state: 'pending' as const, runId: 'another run' };
  assert.deepEqual(await store.jobs.insert([repeated, second]), new Set([first._id]));
  const record = await store.jobs.find(first._id);
  assert.deepEqual([record?.state, record?.runId], ['done', 'run']);
  assert.equal(await stateOf(store, second), 'pending');
});

/** @returns each page of the list as the numbers of its jobs. */
async function listAll(store: TestStore, query: Omit<JobQuery, 'after'>): Promise<number[][]> {
  const pages: number[][] = [];
  let after: string | undefined;
  do {
    const { jobs, next } = await store.jobs.list(after === undefined ? query : { ...query, after });
    pages.push(jobs.map(({ _id }) => Number(_id.split(':')[1])));
    after = next;
  } while (after !== undefined && pages.length < 20);
  return pages;
}

test('a list of a rare state ends after some jobs and says where to go on; a state in the index is found at once', async (t) => {
  const store = await testStore(t);
  const states: readonly JobState[] = ['done', 'dead', 'done', 'done', 'dead', 'cancelled', 'dead'];
  for (const [number, state] of states.entries())
    await insert(store, { _id: `trivial:${number}:2026-01-01`, state });
  const query = { limit: 2, readLimit: 3 };
  const of = (state: JobState) => ({ ...query, where: { state } });
  assert.deepEqual(await listAll(store, of('cancelled')), [[], [5], []]);
  assert.deepEqual(await listAll(store, of('done')), [[0, 2], [3], []]);
  assert.deepEqual(await listAll(store, of('dead')), [[1, 4], [6]]);
  // With pages of one job ten are read first, and then the others up to the limit.
  for (let number = 10; number < 30; number += 1)
    await insert(store, { _id: `upper:${number}`, state: number === 29 ? 'cancelled' : 'done' });
  const long = { ...of('cancelled'), limit: 1, readLimit: 20 };
  assert.deepEqual(await listAll(store, long), [[5], [], [29], []]);
  await store.raw('jobs').deleteMany({ _id: { $gte: 'upper:' } });
  const many = { ...of('dead'), indexedLimit: 2 };
  assert.deepEqual(await listAll(store, many), [[1], [4], [6]]);
  assert.deepEqual(await listAll(store, query), [[0, 1], [2, 3], [4, 5], [6]]);
});

test('a list has the jobs of every condition and no others, by an index and without it, with their number', async (t) => {
  const store = await testStore(t);
  const at = (day: number) => new Date(Date.UTC(2026, 10, day));
  const death = (cause: DeathCause, reason: string) => ({
    state: 'dead' as const,
    death: { cause, reason, fingerprint: 'f', at: at(1) },
  });
  const fields: Record<string, Partial<JobRecord>> = {
    'trivial:ann:1': { ...death('fatal', 'no host'), attemptCount: 4 },
    'trivial:ann:2': { state: 'done', createdAt: at(2), payload: { level: 'rx', tags: ['a'] } },
    'trivial:ben:1': { ...death('exhausted', 'no [host]'), createdAt: at(3), attemptCount: 2 },
    'upper:1': { state: 'done', owner: 'ann', kind: 'upper', payload: { count: 5 } },
    'upper:2': { ...death('fatal', 'no host'), owner: 'ben', kind: 'upper' },
  };
  for (const [_id, change] of Object.entries(fields))
    await insert(store, { _id, createdAt: at(1), ...change });
  const ranges = [{ from: 'trivial:', below: 'trivial;' }];
  const user = (id: string) => ({
    id,
    ranges: [{ from: `trivial:${id}:`, below: `trivial:${id};` }],
  });
  const cases: [string, Partial<JobQuery>, string[]][] = [
    ['kind', { ranges }, ['trivial:ann:1', 'trivial:ann:2', 'trivial:ben:1']],
    ['dead of a kind', { ranges, where: { state: 'dead' } }, ['trivial:ann:1', 'trivial:ben:1']],
    ['cause', { where: { state: 'dead', cause: 'fatal' } }, ['trivial:ann:1', 'upper:2']],
    ['error', { where: { state: 'dead', reasonPattern: 'no \\[h' } }, ['trivial:ben:1']],
    ['owner', { where: { owner: 'ann' } }, ['upper:1']],
    ['user', { user: user('ann') }, ['trivial:ann:1', 'trivial:ann:2', 'upper:1']],
    [
      'dead of a user',
      { user: user('ben'), where: { state: 'dead' } },
      ['trivial:ben:1', 'upper:2'],
    ],
    ['created', { where: { createdSince: at(2), createdUntil: at(3) } }, ['trivial:ann:2']],
    ['attempts', { where: { attemptsMin: 2 } }, ['trivial:ann:1', 'trivial:ben:1']],
    ['payload', { where: { payload: { count: ['5', 5] } } }, ['upper:1']],
    ['payload list', { where: { payload: { level: ['rx'], tags: ['a'] } } }, ['trivial:ann:2']],
  ];
  for (const [name, query, ids] of cases)
    for (const indexedLimit of [100, 0]) {
      const whole = await store.jobs.list({ ...query, limit: 10, indexedLimit });
      assert.deepEqual(
        whole.jobs.map(({ _id }) => _id),
        ids,
        name,
      );
      assert.deepEqual([whole.next, whole.count], [undefined, ids.length], name);
      assert.ok(
        whole.jobs.every((job) => !('payload' in job)),
        name,
      );
      const { jobs } = await store.jobs.list({
        ...query,
        limit: 10,
        after: ids[0] ?? '',
        indexedLimit,
      });
      assert.deepEqual(
        jobs.map(({ _id }) => _id),
        ids.slice(1),
        `${name}, second page`,
      );
    }
});

test('a search finds jobs of a state in both directions, by the index or without it', async (t) => {
  const store = await testStore(t);
  for (const [number, state] of (['dead', 'done', 'dead', 'dead'] as const).entries())
    await insert(store, { _id: `trivial:${number}`, state });
  await insert(store, { _id: 'other:0', state: 'dead' });
  for (const indexedLimit of [100, 1]) {
    const search = async (change: { above?: string; below?: string; isDescending: boolean }) => {
      const query = { from: 'trivial:', above: undefined, below: 'trivial;', ...change };
      const found = await store.jobs.search({ ...query, state: 'dead', limit: 2, indexedLimit });
      return found.map(({ _id }) => _id);
    };
    assert.deepEqual(await search({ isDescending: false }), ['trivial:0', 'trivial:2']);
    assert.deepEqual(await search({ above: 'trivial:2', isDescending: false }), ['trivial:3']);
    assert.deepEqual(await search({ isDescending: true }), ['trivial:3', 'trivial:2']);
    assert.deepEqual(await search({ below: 'trivial:2', isDescending: true }), ['trivial:0']);
  }
});

test('only legal transitions change a job, tried from every state', async (t) => {
  const store = await testStore(t);
  for (const transition of Object.keys(TRANSITIONS) as Transition[])
    for (const state of JOB_STATES) {
      const job = await insert(store, { state });
      const count = await changeTo(store, transition, job);
      const { from, to } = TRANSITIONS[transition];
      const isLegal = (from as readonly JobState[]).includes(state);
      assert.equal(count, isLegal ? 1 : 0, `${transition} from ${state}`);
      assert.equal(await stateOf(store, job), isLegal ? to : state);
    }
});

test('a change of another generation changes nothing, but a stored effect finishes its job', async (t) => {
  const store = await testStore(t);
  const job = await insert(store, { generation: 2 });
  for (const generation of [1, 3])
    for (const transition of ['wait', 'markDead', 'run', 'cancel'] as const)
      assert.equal(await store.jobs.change(transition, [{ id: job._id, generation }]), 0);
  assert.equal(await stateOf(store, job), 'pending');
  assert.deepEqual(await store.jobs.finishEach([retried(job, 1, 1)]), { finished: 1, revived: 0 });
  assert.equal(await stateOf(store, job), 'done');
});

test('a finish sets time, worker and number of attempts, and revives a job that was marked dead', async (t) => {
  const store = await testStore(t);
  const death = { cause: 'exhausted' as const, fingerprint: 'f', reason: 'no', at: LONG_AGO };
  const dead = await insert(store, { state: 'dead', death });
  const [live, ended] = [await insert(store), await insert(store, { state: 'done' })];
  const before = await store.clock.read();
  const ids = [dead, live, ended].map(({ _id }) => _id);
  const counts = await store.jobs.finish({ ids, ...AT_FIRST });
  assert.deepEqual(counts, { finished: 1, revived: 1 });
  const again = await store.jobs.finish({ ids, ...AT_FIRST });
  assert.deepEqual(again, { finished: 0, revived: 0 });
  for (const job of [dead, live]) {
    const record = await store.jobs.find(job._id);
    assert.deepEqual(
      [record?.state, record?.workerId, record?.attemptCount, record?.death, record?.attempts],
      ['done', 'worker', 1, undefined, undefined],
    );
    assert.ok(record?.doneAt && record.doneAt >= before, 'the time is the database’s');
  }
});

test('a finish with its own attempt keeps the attempts before it', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  await store.jobs.change('wait', [retried(job, 1)]);
  await store.jobs.finishEach([retried(job, 2)]);
  const record = await store.jobs.find(job._id);
  assert.deepEqual(
    [record?.state, record?.attempts?.map(({ number }) => number), record?.workerId],
    ['done', [1, 2], 'worker'],
  );
});

test('an attempt that is recorded already is not counted twice', async (t) => {
  const store = await testStore(t);
  const job = await insert(store);
  const counts: number[] = [];
  for (const number of [1, 1, 2, 1, 2])
    counts.push(await store.jobs.change('wait', [retried(job, number)]));
  assert.deepEqual(counts, [1, 0, 1, 0, 0]);
  const record = await store.jobs.find(job._id);
  assert.deepEqual(
    record?.attempts?.map(({ number }) => number),
    [1, 2],
  );
  assert.equal(record.attemptCount, 2);
});

test('a batch returns the number of changed records, and repeating it changes nothing', async (t) => {
  const store = await testStore(t);
  const [one, two] = [await insert(store), await insert(store, { state: 'done' })];
  const changes = [one, two].map(({ _id: id }) => ({ id, generation: 1 }));
  const batch = [...changes, { id: 'nobody', generation: 1 }];
  assert.equal(await store.jobs.change('cancel', batch), 1);
  assert.equal(await store.jobs.change('cancel', batch), 0);
  assert.equal(await store.jobs.change('cancel', []), 0);
});

test('moving to another batch makes live jobs pending that did not change since, and no others', async (t) => {
  const store = await testStore(t);
  const states: JobState[] = [...JOB_STATES];
  const jobs = await Promise.all(states.map((state) => insert(store, { state, attemptCount: 2 })));
  const recent = await insert(store, { state: 'running', stateAt: LATER });
  const ids = [...jobs, recent].map(({ _id }) => _id);
  assert.equal(await store.jobs.moveToBatch(ids, 'repair:0', LATER), 3);
  const records = await store.jobs.findAll(ids);
  const after = jobs.map(({ _id }) => records.get(_id)!);
  assert.deepEqual(
    after.map(({ state }) => state),
    ['pending', 'pending', 'pending', 'done', 'dead', 'cancelled'],
  );
  assert.deepEqual(
    after.map(({ batch }) => batch),
    ['repair:0', 'repair:0', 'repair:0', '', '', ''],
  );
  assert.ok(
    after.every(({ attemptCount }) => attemptCount === 2),
    'spent attempts stay spent',
  );
  assert.equal(records.get(recent._id)?.state, 'running');
});

test('oldestEligible counts from the last change, and for a waiting job from the end of its wait', async (t) => {
  const store = await testStore(t);
  const attempt = (number: number, delayMs: number) => ({
    ...retried(pendingJob(), number).attempt!,
    delayMs,
  });
  await insert(store, { state: 'waiting', attempts: [attempt(1, 500), attempt(2, 9_000)] });
  await insert(store, { state: 'waiting', attempts: [attempt(1, 60_000)] });
  await insert(store, { state: 'running' });
  await insert(store, { state: 'running', stateAt: LATER });
  await insert(store, { state: 'done' });
  assert.deepEqual(await store.jobs.oldestEligible(), {
    waiting: new Date(LONG_AGO.getTime() + 9_000),
    running: LONG_AGO,
  });
});

test('jobs are counted by state and cause of death, among ids and of a run', async (t) => {
  const store = await testStore(t);
  const death = (cause: 'exhausted' | 'crashed') => ({
    state: 'dead' as const,
    death: { cause, fingerprint: 'f', reason: 'r', at: LONG_AGO },
  });
  const jobs = [
    await insert(store, death('exhausted')),
    await insert(store, death('crashed')),
    await insert(store, { state: 'waiting' }),
    await insert(store, { state: 'done' }),
  ];
  await insert(store, { ...death('crashed'), runId: 'other' });
  assert.deepEqual(await store.jobs.countAmong(jobs.map(({ _id }) => _id)), {
    states: { dead: 2, waiting: 1, done: 1 },
    causes: { exhausted: 1, crashed: 1 },
  });
  assert.deepEqual(await store.jobs.countIndexed('run'), {
    states: { dead: 2, waiting: 1 },
    causes: { exhausted: 1, crashed: 1 },
  });
  assert.deepEqual((await store.jobs.countIndexed()).states, { dead: 3, waiting: 1 });
});
