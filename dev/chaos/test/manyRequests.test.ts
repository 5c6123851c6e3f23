/**
 * Goal: many requests for runs, and for the list of runs, cost little, and every member gets one workout. Method: the real system
 * with the heap of production; requests at once, a monolith that is killed right after it accepted a run, and one member who is
 * asked for again and again.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RunStatusReply } from '@fit/client';
import { sampleUsers } from '@fit/stack';
import { MongoClient } from 'mongodb';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';

type SystemUnderTest = Awaited<ReturnType<typeof startSystemUnderTest>>;

async function workoutCount(t: TestContext, { env }: SystemUnderTest): Promise<number> {
  const mongo = new MongoClient(env['MONGODB_URL'] ?? '');
  t.after(() => mongo.close());
  return await mongo.db().collection('wods').countDocuments();
}

test('forty runs at once for 1,285 members, and 200 readers of the list of runs at once', async (t) => {
  const tested = await startSystemUnderTest(t);
  const { client, system } = tested;
  const { pid } = system.monolith.child;
  await client.createUsers(sampleUsers(1_285));
  const accepted = await Promise.all(
    Array.from({ length: 40 }, () => client.generateWods({ date: DATE })),
  );
  assert.equal(new Set(accepted.map(({ runId }) => runId)).size, 40);
  const ended: RunStatusReply[] = [];
  for (const { runId } of accepted) ended.push(await waitForRun(tested, runId));
  for (const { total, created, skipped, states } of ended)
    assert.deepEqual([total, created + skipped, states], [1_285, 1_285, { done: 1_285 }]);
  assert.equal(
    ended.reduce((sum, { created }) => sum + created, 0),
    1_285,
  );
  assert.equal(await workoutCount(t, tested), 1_285);

  for (let count = 0; count < 10; count += 1)
    await client.generateWods({ date: DATE, userIds: ['sample-00001'] });
  const lists = await Promise.all(
    Array.from({ length: 200 }, () => client.request('GET', '/runs')),
  );
  for (const list of lists as { runs: RunStatusReply[] }[]) assert.equal(list.runs.length, 50);
  assert.equal(system.monolith.child.pid, pid, 'the monolith was started again');
  assert.equal((await client.run(accepted[0]?.runId ?? '')).state, 'finished');
});

test('a run without a key whose monolith is killed right after it accepted the run is resumed', async (t) => {
  const tested = await startSystemUnderTest(t);
  const { client, system } = tested;
  await client.createUsers(sampleUsers(3_000));
  const { runId, state } = await client.generateWods({ date: DATE });
  assert.equal(state, 'accepting');
  await system.monolith.child.kill();
  await system.restartMonolith();
  const { total, states } = await waitForRun(tested, runId);
  assert.deepEqual([total, states], [3_000, { done: 3_000 }]);
});

test('the daily run ends although one of its members was asked for 25 more times', async (t) => {
  const tested = await startSystemUnderTest(t);
  const { client, system } = tested;
  await client.createUsers(sampleUsers(3));
  await system.removeCoach(0, 'stop');
  const daily = await client.generateWods({ date: DATE });
  const others: string[] = [];
  for (let count = 0; count < 25; count += 1) {
    const userIds = ['sample-00001'];
    others.push((await client.generateWods({ date: DATE, userIds })).runId);
  }
  await system.addCoach();
  assert.deepEqual((await waitForRun(tested, daily.runId)).states, { done: 3 });
  for (const runId of others)
    assert.deepEqual((await waitForRun(tested, runId)).states, { done: 1 });
  const { jobs } = (await client.request('GET', `/jobs?runId=${others[24] ?? ''}`)) as {
    jobs: { runId: string }[];
  };
  assert.equal(jobs.length, 1, 'every run has the job, whoever created it');
});
