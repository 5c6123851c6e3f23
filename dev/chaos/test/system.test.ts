/** Goal: monolith, coach, cron and replay do together what the README says. Method: real processes, one virtual host a test. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { FitRequestError } from '@fit/client';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { readPage } from './support/metricsPage.ts';
import { DAY, follow, REPOSITORY, runScript, startWorld } from './support/world.ts';

test('one request stores every workout, readable from monolith and coach, once', async (t) => {
  const world = await startWorld(t);
  const { client, system } = world;
  await client.createUsers(sampleUsers(60));
  const accepted = await client.generateWods({ date: DAY });
  assert.deepEqual([accepted.total, accepted.created, accepted.skipped], [60, 60, 0]);
  const status = await follow(world, accepted.runId);
  assert.deepEqual(status.states, { done: 60 });
  const ours = await client.request('GET', `/users/sample-00007/wod?date=${DAY}`);
  const theirs = await fetch(`${system.coaches[0]?.url ?? ''}/wods/sample-00007?date=${DAY}`);
  assert.deepEqual(await theirs.json(), ours);
  // The alias, and a second request for the same day: nobody gets a second workout.
  const again = (await client.request('POST', '/users/generateWods', {
    body: { date: DAY },
  })) as typeof accepted;
  assert.deepEqual([again.created, again.skipped], [0, 60]);
  assert.deepEqual((await follow(world, again.runId)).states, { done: 60 });
});

test('bad input is refused by field, and the same key with another request too', async (t) => {
  const { client } = await startWorld(t);
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
  const first = await client.generateWods({ date: DAY }, 'key-1');
  assert.equal((await client.generateWods({ date: DAY }, 'key-1')).runId, first.runId);
  assert.equal((await refusal({ date: '2026-01-06' }, 'key-1'))[0], 422);
});

test('failures take the declared tiers, exhaust after four attempts, and one replay mends all', async (t) => {
  const world = await startWorld(t, { COACH_FAILURE_RATE: '1' });
  const { client, system } = world;
  await client.createUsers(sampleUsers(20));
  const { runId } = await client.generateWods({ date: DAY });
  const status = await follow(world, runId);
  assert.deepEqual([status.states, status.causes], [{ dead: 20 }, { exhausted: 20 }]);
  const job = (await client.request('GET', `/jobs/createWod:sample-00001:${DAY}`)) as {
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

  const dry = await runScript(world, ['monolith/src/replayCommand.ts', '--dry-run']);
  assert.equal(dry.code, 0);
  assert.match(dry.output, /20 dead jobs match/);
  assert.deepEqual((await client.run(runId)).states, { dead: 20 });

  await system.removeCoach(0, 'stop');
  await system.addCoach({ COACH_FAILURE_RATE: '0' });
  const one = await runScript(world, ['monolith/src/replayCommand.ts', '--user', 'sample-00001']);
  assert.equal(one.code, 0, one.output);
  assert.deepEqual((await client.run(runId)).states, { dead: 19, done: 1 });
  const rest = await runScript(world, ['monolith/src/replayCommand.ts', '--cause', 'exhausted']);
  assert.equal(rest.code, 0, rest.output);
  assert.deepEqual((await client.run(runId)).states, { done: 20 });
  // Replayed by another process; the monolith, which publishes them again, is the one that is scraped.
  const page = await readPage(system.monolith.metricsUrl);
  assert.equal(page.sum('jobs_replayed_total', { type: 'createWod' }), 20);
  // The first time and the replay; retries are the broker's.
  assert.equal(page.sum('jobs_published_total', { outcome: 'confirmed' }), 40);
});

test('cron asks once for a slot, waits for every workout, and says so by its exit code', async (t) => {
  const world = await startWorld(t);
  const { client } = world;
  await client.createUsers(sampleUsers(10));
  const cron = ['cron_job.ts', '--once', '--date', DAY];
  const both = await Promise.all([runScript(world, cron), runScript(world, cron)]);
  for (const { code, output } of both) {
    assert.equal(code, 0, output);
    assert.match(output, /every workout of 2026-01-05 is stored: 10/);
  }
  const { runs } = (await client.request('GET', '/runs')) as { runs: unknown[] };
  assert.equal(runs.length, 1);
});

test('cron catches up the slot that it missed, and a run with dead jobs is exit code 2', async (t) => {
  const world = await startWorld(t, { COACH_FAILURE_RATE: '1' });
  const { client } = world;
  await client.createUsers(sampleUsers(3));
  const failed = await runScript(world, ['cron_job.ts', '--once', '--date', DAY]);
  assert.equal(failed.code, 2, failed.output);
  assert.match(failed.output, /3 of 3 are missing/);
  const child = spawn(process.execPath, ['cron_job.ts'], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      FIT_URL: world.system.monolith.url,
      FIT_ADMIN_TOKEN: world.system.adminToken,
      // The last slot is at most a minute old, the next up to a minute away.
      CRON_SCHEDULE: '* * * * *',
    },
  });
  t.after(() => child.kill('SIGKILL'));
  let runCount = 0;
  await eventually(
    async () => {
      const { runs } = (await client.request('GET', '/runs')) as { runs: unknown[] };
      runCount = runs.length;
      return runCount >= 2;
    },
    { deadlineMs: 30_000, describe: () => `${runCount} runs; the missed slot was not asked for` },
  );
  const exit = new Promise<number | null>((settle) => child.once('exit', settle));
  child.kill('SIGTERM');
  assert.equal(await exit, 0);
});

test('coaches and a monolith killed in the middle change nothing', async (t) => {
  const world = await startWorld(t, { COACH_PREFETCH: '5', FIT_STALE_AFTER_MS: '10000' });
  const { client, system } = world;
  await client.createUsers(sampleUsers(400));
  const { runId } = await client.generateWods({ date: DAY });
  await system.removeCoach(0, 'kill');
  await system.addCoach();
  await system.restartMonolith();
  await system.removeCoach(0, 'kill');
  await system.addCoach();
  const status = await follow(world, runId);
  assert.deepEqual(status.states, { done: 400 });
});

test('a full queue refuses, the refused jobs stay pending, and all are stored', async (t) => {
  const world = await startWorld(t, { FIT_MAX_LENGTH: '10' });
  const { client, system } = world;
  // Limits of quorum queues are soft: a burst of 200 fits into 20, one of 1,000 does not into 10.
  await client.createUsers(sampleUsers(1_000));
  await system.removeCoach(0, 'stop');
  const { runId } = await client.generateWods({ date: DAY });
  await eventually(
    async () =>
      ((await client.run(runId)).states['pending'] ?? 0) > 0 &&
      ((await client.run(runId)).states['queued'] ?? 0) > 0,
    { describe: async () => JSON.stringify(await client.run(runId)) },
  );
  await system.addCoach();
  assert.deepEqual((await follow(world, runId)).states, { done: 1_000 });
});

test('a wrong setting stops a service at start with its name', async (t) => {
  const world = await startWorld(t);
  const bad = await runScript(
    { ...world, env: { ...world.env, COACH_FAILURE_RATE: '2', COACH_PREFETCH: '0' } },
    ['coach/src/main.ts'],
  );
  assert.equal(bad.code, 1);
  assert.match(bad.output, /COACH_FAILURE_RATE='2'.*COACH_PREFETCH='0'/);
});
