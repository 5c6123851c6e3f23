/**
 * Goal: a replay survives the death of the monolith that carries it out: each job is replayed once, and the list of outcomes equals the
 * database. Method: real processes; the monolith is killed in the middle.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobRecord } from '@fit/jobs';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { DATE, startSystemUnderTest } from './support/systemUnderTest.ts';

/** `REPLAYED_JOBS=5000` takes two minutes. */
const JOB_COUNT = Number(process.env['REPLAYED_JOBS'] ?? 240);
const WAIT_MS = 60_000 + JOB_COUNT * 60;
const PARTS = 12;
/** When the monolith is killed, as a share of the jobs; once where the test has to be quick. */
const KILLED_AT = JOB_COUNT < 1_000 ? [1 / 2] : [1 / 4, 1 / 2];

interface Progress {
  readonly state: string;
  readonly matched: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly exact: boolean;
}

test('the monolith is killed in the middle of a replay: each job is replayed once, and the outcomes equal the records', async (t) => {
  const tested = await startSystemUnderTest(t, { COACH_FAILURE_RATE: '1' });
  const { client, system } = tested;
  const mongo = new MongoClient(tested.env['MONGODB_URL'] ?? '');
  t.after(() => mongo.close());
  const jobs = mongo.db().collection<JobRecord>('jobs');
  await client.createUsers(sampleUsers(JOB_COUNT));
  await client.generateWods({ date: DATE });
  const countDead = () => jobs.countDocuments({ state: 'dead', stateAt: { $gt: new Date(0) } });
  await eventually(async () => (await countDead()) === JOB_COUNT, {
    deadlineMs: WAIT_MS,
    intervalMs: 500,
    describe: async () => `${await countDead()} of ${JOB_COUNT} jobs are dead`,
  });
  await system.removeCoach(0, 'stop');
  // About an eighth of the jobs fail four times more.
  await system.addCoach({ COACH_FAILURE_RATE: '0.6' });
  const { id } = (await client.request('POST', '/operations', {
    body: {
      type: 'replay',
      all: true,
      ratePerSecond: Math.min(500, Math.ceil(JOB_COUNT / PARTS)),
      reason: 'the cause is removed',
    },
  })) as { id: string };
  const read = async () => (await client.request('GET', `/operations/${id}`)) as Progress;
  const expect = (isReached: (progress: Progress) => boolean) =>
    eventually(async () => isReached(await read()), {
      deadlineMs: WAIT_MS,
      intervalMs: 100,
      describe: async () => JSON.stringify(await read()),
    });
  const seen: number[] = [];
  for (const share of KILLED_AT) {
    await expect(({ replayed }) => replayed >= JOB_COUNT * share);
    seen.push((await read()).replayed);
    await system.restartMonolith();
  }
  t.diagnostic(`killed after ${seen.join(' and ')} of ${JOB_COUNT} jobs`);
  assert.ok(seen.every((replayed) => replayed < JOB_COUNT));
  await expect(({ state, outcomes }) => state === 'completed' && outcomes['pending'] === 0);
  const progress = await read();
  assert.deepEqual(
    [progress.matched, progress.replayed, progress.skipped, progress.exact],
    [JOB_COUNT, JOB_COUNT, 0, true],
  );
  const listed = new Map<string, string>();
  for (let after: string | undefined; ; ) {
    const query = after === undefined ? '' : `&after=${after}`;
    const page = (await client.request('GET', `/operations/${id}/jobs?limit=500${query}`)) as {
      jobs: { jobId: string; outcome: string }[];
      next?: string;
    };
    for (const { jobId, outcome } of page.jobs) {
      assert.ok(!listed.has(jobId), `${jobId} is listed twice`);
      listed.set(jobId, outcome);
    }
    after = page.next;
    if (after === undefined) break;
  }
  const records = await jobs.find({}).toArray();
  const wrong = records.filter(({ _id, state, generation, replays = [] }) => {
    const isReplayedOnce = generation === 2 && replays.length === 1;
    const outcome = state === 'done' ? 'succeeded' : state === 'dead' ? 'failedAgain' : state;
    return !isReplayedOnce || replays[0]?.operationId !== id || listed.get(_id) !== outcome;
  });
  assert.deepEqual(wrong.slice(0, 3), []);
  assert.deepEqual([records.length, listed.size], [JOB_COUNT, JOB_COUNT]);
  const countOf = (outcome: string) =>
    [...listed.values()].filter((value) => value === outcome).length;
  const { succeeded, failedAgain } = progress.outcomes;
  assert.deepEqual([succeeded, failedAgain], [countOf('succeeded'), countOf('failedAgain')]);
  t.diagnostic(`${succeeded} succeeded, ${failedAgain} failed again`);
});
