/** Goal: monolith, coach, cron and replay together behave as described in the README. Method: real processes, one virtual host for each test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { FitRequestError } from '@fit/client';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { readMetricsPage } from '../src/metricsPage.ts';
import { runProgram, startCron } from './support/programs.ts';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';

test('one request stores one workout per user, and monolith and coach serve the same one', async (t) => {
  const tested = await startSystemUnderTest(t);
  const { client, system } = tested;
  await client.createUsers(sampleUsers(60));
  const accepted = await client.generateWods({ date: DATE });
  const status = await waitForRun(tested, accepted.runId);
  assert.deepEqual([status.total, status.created, status.skipped], [60, 60, 0]);
  assert.deepEqual(status.states, { done: 60 });
  const fromMonolith = await client.request('GET', `/users/sample-00007/wod?date=${DATE}`);
  const path = `${system.coaches[0]?.url ?? ''}/wods/sample-00007?date=${DATE}`;
  assert.equal((await fetch(path)).status, 401);
  const authorization = `Bearer ${await client.token()}`;
  const fromCoach = await fetch(path, { headers: { authorization } });
  assert.deepEqual(await fromCoach.json(), fromMonolith);
  // A second request for the same day, by the route's other path: no user gets a second workout.
  const again = (await client.request('POST', '/users/generateWods', {
    body: { date: DATE },
  })) as typeof accepted;
  const second = await waitForRun(tested, again.runId);
  assert.deepEqual([second.created, second.skipped, second.states], [0, 60, { done: 60 }]);
});

test('a bad request is refused with the field at fault, and so is a used idempotency key with another request', async (t) => {
  const { client } = await startSystemUnderTest(t);
  await client.createUsers(sampleUsers(2));
  const refusal = async (body: object, key?: string) => {
    const error: unknown = await client.generateWods(body, key).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof FitRequestError);
    return [error.status, error.message] as const;
  };
  for (const [body, field] of [
    [{ date: 'tomorrow' }, 'body.date'],
    [{ date: '2026-02-30' }, 'body.date'],
    [{ userIds: ['nobody'] }, 'body.userIds'],
    [{ dates: [] }, 'body.dates'],
  ] as const) {
    const [status, message] = await refusal(body);
    assert.equal(status, 400);
    assert.ok(message.includes(field), message);
  }
  const first = await client.generateWods({ date: DATE }, 'key-1');
  assert.equal((await client.generateWods({ date: DATE }, 'key-1')).runId, first.runId);
  assert.equal((await refusal({ date: '2026-01-06' }, 'key-1'))[0], 422);
});

test('failing jobs wait in the declared tiers, are dead after four attempts, and a replay makes all of them done', async (t) => {
  const tested = await startSystemUnderTest(t, { COACH_FAILURE_RATE: '1' });
  const { client, system } = tested;
  await client.createUsers(sampleUsers(20));
  const { runId } = await client.generateWods({ date: DATE });
  const status = await waitForRun(tested, runId);
  assert.deepEqual([status.states, status.causes], [{ dead: 20 }, { exhausted: 20 }]);
  const job = (await client.request('GET', `/jobs/createWod:sample-00001:${DATE}`)) as {
    attempts: { number: number; delayMs?: number; error: { class: string } }[];
  };
  assert.deepEqual(
    job.attempts.map(({ number }) => number),
    [1, 2, 3, 4],
  );
  assert.deepEqual(
    job.attempts.map(({ delayMs }) => delayMs),
    [200, 400, 600, undefined],
  );
  assert.ok(job.attempts.every(({ error }) => error.class === 'SimulatedFailure'));

  const dry = await runProgram(['monolith/src/replayCommand.ts', '--dry-run'], tested.env);
  assert.equal(dry.code, 0);
  assert.match(dry.output, /20 dead jobs match/);
  assert.deepEqual((await client.run(runId)).states, { dead: 20 });

  await system.removeCoach(0, 'stop');
  await system.addCoach({ COACH_FAILURE_RATE: '0' });
  const one = await runProgram(
    ['monolith/src/replayCommand.ts', '--user', 'sample-00001'],
    tested.env,
  );
  assert.equal(one.code, 0, one.output);
  // Workers count the ends of a run every quarter of a second, after they have written the records.
  const expectStates = async (states: Record<string, number>) => {
    await eventually(async () => isDeepStrictEqual((await client.run(runId)).states, states), {
      describe: async () => JSON.stringify(await client.run(runId)),
    });
  };
  await expectStates({ dead: 19, done: 1 });
  const rest = await runProgram(
    ['monolith/src/replayCommand.ts', '--cause', 'exhausted'],
    tested.env,
  );
  assert.equal(rest.code, 0, rest.output);
  await expectStates({ done: 20 });
  // The replay command has ended; the monolith counts replays when it publishes the jobs again.
  const page = await readMetricsPage(system.monolith.metricsUrl);
  assert.equal(page.sum('jobs_replayed_total', { kind: 'createWod' }), 20);
  // Twice for each job, at first and after the replay: retries are published by the broker.
  assert.equal(page.sum('jobs_published_total', { outcome: 'confirmed' }), 40);
});

test('two crons of the same date make one run, and both end with 0 when every workout is stored', async (t) => {
  const tested = await startSystemUnderTest(t);
  const { client } = tested;
  await client.createUsers(sampleUsers(10));
  const cron = ['cron_job.ts', '--once', '--date', DATE];
  const both = await Promise.all([runProgram(cron, tested.env), runProgram(cron, tested.env)]);
  for (const { code, output } of both) {
    assert.equal(code, 0, output);
    assert.match(output, /every workout of 2026-01-05 is stored: 10/);
  }
  const { runs } = (await client.request('GET', '/runs')) as { runs: unknown[] };
  assert.equal(runs.length, 1);
});

test('cron --once ends with 2 when jobs are dead, and a long-running cron requests the latest missed slot', async (t) => {
  const tested = await startSystemUnderTest(t, { COACH_FAILURE_RATE: '1' });
  const { client } = tested;
  await client.createUsers(sampleUsers(3));
  const failed = await runProgram(['cron_job.ts', '--once', '--date', DATE], tested.env);
  assert.equal(failed.code, 2, failed.output);
  assert.match(failed.output, /3 of 3 workouts are missing/);
  // The last slot is at most a minute old, and the next one is up to a minute away.
  const running = await startCron(t, tested, { CRON_SCHEDULE: '* * * * *' });
  let runCount = 0;
  await eventually(
    async () => {
      const { runs } = (await client.request('GET', '/runs')) as { runs: unknown[] };
      runCount = runs.length;
      return runCount >= 2;
    },
    { deadlineMs: 30_000, describe: () => `${runCount} runs; the missed slot was not requested` },
  );
  assert.equal(await running.stop(), 0);
});

test('every workout is stored although coaches and the monolith are killed during the run', async (t) => {
  const tested = await startSystemUnderTest(t, {
    COACH_PREFETCH: '5',
    FIT_STALE_AFTER_MS: '10000',
  });
  const { client, system } = tested;
  await client.createUsers(sampleUsers(400));
  const { runId } = await client.generateWods({ date: DATE });
  await system.removeCoach(0, 'kill');
  await system.addCoach();
  await system.restartMonolith();
  await system.removeCoach(0, 'kill');
  await system.addCoach();
  const status = await waitForRun(tested, runId);
  assert.deepEqual(status.states, { done: 400 });
});

test('jobs that the queue has no room for stay pending, and all are stored when a coach works', async (t) => {
  const tested = await startSystemUnderTest(t, { FIT_MAX_LENGTH: '10' });
  const { client, system } = tested;
  await client.createUsers(sampleUsers(200));
  await system.removeCoach(0, 'stop');
  const { runId } = await client.generateWods({ date: DATE });
  let seen = '';
  const readyCount = async () => {
    const report = (await client.request('GET', '/queues')) as {
      queues: { role: string; ready: number | null }[];
    };
    seen = JSON.stringify(report);
    return report.queues.find(({ role }) => role === 'main')?.ready;
  };
  await eventually(async () => (await readyCount()) === 5, {
    deadlineMs: 30_000,
    describe: () => seen,
  });
  const { state, states } = await client.run(runId);
  assert.deepEqual([state, states], ['accepting', { pending: 200 }]);
  await system.addCoach();
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 200 });
});

test('a service with wrong settings ends at the start and names each of them', async (t) => {
  const tested = await startSystemUnderTest(t);
  const bad = await runProgram(['coach/src/main.ts'], {
    ...tested.env,
    COACH_FAILURE_RATE: '2',
    COACH_PREFETCH: '0',
  });
  assert.equal(bad.code, 1);
  assert.match(bad.output, /COACH_FAILURE_RATE='2'.*COACH_PREFETCH='0'/);
});
