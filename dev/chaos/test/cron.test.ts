/** Goal: metrics, health and output of the daily trigger show what it did, waits for, and does next. Method: the real program. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSecret, replaceSecretFile } from '@fit/service/secret-file';
import { sampleUsers } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { readMetricsPage } from '../src/metricsPage.ts';
import { type RunningCron, runProgram, startCron, startProgram } from './support/programs.ts';
import { startSystemUnderTest } from './support/systemUnderTest.ts';

async function runsOf({ url }: RunningCron): Promise<Record<string, number>> {
  const page = await readMetricsPage(`${url}/metrics`);
  return Object.fromEntries(
    ['complete', 'incomplete', 'failed'].map((outcome) => [
      outcome,
      page.sum('cron_runs_total', { outcome }),
    ]),
  );
}

async function expectComplete(cron: RunningCron): Promise<void> {
  await eventually(async () => (await runsOf(cron))['complete'] === 1, {
    deadlineMs: 60_000,
    describe: cron.output,
  });
}

/** Polls, because cron sends requests to the monolith, whose answer may be late on a busy machine. */
async function expectReady({ url }: RunningCron): Promise<void> {
  let seen = '';
  await eventually(
    async () => {
      const response = await fetch(`${url}/readyz`);
      seen = `${response.status} ${await response.text()}`;
      return response.status === 200;
    },
    { describe: () => seen },
  );
}

test('a missed slot is requested at start, counted, timed and dated; SIGTERM ends cron with 0', async (t) => {
  const tested = await startSystemUnderTest(t);
  await tested.client.createUsers(sampleUsers(5));
  const startedAtSeconds = Date.now() / 1_000;
  const cron = await startCron(t, tested);
  await expectComplete(cron);
  assert.deepEqual(await runsOf(cron), { complete: 1, incomplete: 0, failed: 0 });
  const page = await readMetricsPage(`${cron.url}/metrics`);
  assert.ok(page.sum('cron_last_success_timestamp_seconds') >= startedAtSeconds);
  assert.equal(page.sum('cron_run_duration_seconds_count'), 1);
  // The schedule is daily, so the next slot is within a day.
  const inSeconds = page.sum('cron_next_run_timestamp_seconds') - Date.now() / 1_000;
  assert.ok(inSeconds > 0 && inSeconds <= 86_400, `${inSeconds}`);
  // Cron reports to the monolith by when the next run must have ended: the slot, an hour to wait, and five minutes.
  const nextSeconds = page.sum('cron_next_run_timestamp_seconds');
  await eventually(async () => (await tested.client.dailyRunDueBy()) !== undefined, {
    describe: cron.output,
  });
  const dueBy = await tested.client.dailyRunDueBy();
  assert.equal((dueBy?.getTime() ?? 0) / 1_000, nextSeconds + 3_600 + 300);
  await expectReady(cron);
  assert.equal(await cron.stop(), 0);
  assert.deepEqual(await tested.client.dailyRunDueBy(), dueBy);
  await assert.rejects(tested.client.request('PUT', '/dailyRun', { body: { dueBy: 'soon' } }));
  await tested.client.expectDailyRun(undefined);
  assert.equal(await tested.client.dailyRunDueBy(), undefined);
});

test('cron repeats its request while the monolith has no database, prints the reason, and is alive meanwhile', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const tested = await startSystemUnderTest(t, {}, { mongodbUrl: proxy.url });
  await tested.client.createUsers(sampleUsers(5));
  proxy.holdReplies();
  const cron = await startCron(t, tested);
  await eventually(() => /503 .*store_unavailable/.test(cron.output()), { describe: cron.output });
  const ready = await fetch(`${cron.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /monolith/);
  assert.equal((await fetch(`${cron.url}/livez`)).status, 200);
  proxy.release();
  await expectComplete(cron);
  await expectReady(cron);
});

test('a missed slot older than CRON_CATCH_UP_MS is named and not requested; with 0 no missed slot is', async (t) => {
  const tested = await startSystemUnderTest(t);
  await tested.client.createUsers(sampleUsers(5));
  const leapDay = await startCron(t, tested, { CRON_SCHEDULE: '0 5 29 2 *' });
  await eventually(() => /the last slot.* is not requested/.test(leapDay.output()), {
    describe: leapDay.output,
  });
  assert.match(leapDay.output(), /-02-29, is not requested: .*CRON_CATCH_UP_MS=86400000/);
  assert.match(leapDay.output(), /next slot \d{4}-02-29T05:00:00.000Z for \d{4}-02-29/);
  await eventually(async () => (await tested.client.dailyRunDueBy()) !== undefined, {
    describe: leapDay.output,
  });
  // The date of a missed run. A restart that requests nothing must keep it, or the alert would end.
  const missed = new Date('2026-01-01T06:05:00Z');
  await tested.client.expectDailyRun(missed);
  const never = await startCron(t, tested, { CRON_CATCH_UP_MS: '0' });
  await eventually(() => /is not requested: .*CRON_CATCH_UP_MS=0/.test(never.output()), {
    describe: never.output,
  });
  for (const cron of [leapDay, never]) {
    assert.deepEqual(await runsOf(cron), { complete: 0, incomplete: 0, failed: 0 });
    assert.equal(await cron.stop(), 0);
  }
  assert.deepEqual(await tested.client.dailyRunDueBy(), missed);
  const { runs } = (await tested.client.request('GET', '/runs')) as { runs: unknown[] };
  assert.deepEqual(runs, []);
});

test('each slot makes a run of its own', async (t) => {
  const tested = await startSystemUnderTest(t);
  await tested.client.createUsers(sampleUsers(3));
  const cron = await startCron(t, tested, {
    CRON_SCHEDULE: '*/2 * * * * *',
    CRON_CATCH_UP_MS: '0',
  });
  await eventually(async () => ((await runsOf(cron))['complete'] ?? 0) >= 3, {
    deadlineMs: 120_000,
    describe: cron.output,
  });
  const runIds = [...cron.output().matchAll(/ run (\S+) for /g)].map(([, id]) => id);
  assert.ok(runIds.length >= 3, cron.output());
  assert.equal(new Set(runIds).size, runIds.length);
  assert.equal(await cron.stop(), 0);
});

test('a new secret in the file, and the end of its token, do not disturb a running cron', async (t) => {
  const tested = await startSystemUnderTest(t);
  await tested.client.createUsers(sampleUsers(3));
  const cron = await startCron(t, tested, {
    CRON_SCHEDULE: '*/2 * * * * *',
    CRON_CATCH_UP_MS: '0',
  });
  const completeCount = async () => (await runsOf(cron))['complete'] ?? 0;
  const waitForRuns = async (count: number) => {
    await eventually(async () => (await completeCount()) >= count, {
      deadlineMs: 120_000,
      describe: cron.output,
    });
  };
  await waitForRuns(1);
  await replaceSecretFile(tested.env['FIT_CRON_SECRET_FILE'] ?? '', makeSecret(), 0o600);
  // Only the newest two keys verify tokens, so cron's token is refused from now on, and it must log in with the new secret.
  for (let count = 0; count < 3; count += 1) await tested.client.request('POST', '/auth/keys');
  await waitForRuns((await completeCount()) + 3);
  assert.equal((await runsOf(cron))['failed'], 0, cron.output());
  assert.equal(await cron.stop(), 0);
});

test('a wrong configuration ends cron with each variable at fault, its value and what would be right', async () => {
  // Some parsers of schedules accept H, a time that is chosen at each start; cron must refuse it.
  const { code, stdout } = await runProgram(['cron_job.ts'], {
    ...process.env,
    CRON_SCHEDULE: 'H 5 * * *',
    CRON_TIMEZONE: 'Mars/Phobos',
    CRON_CATCH_UP_MS: '-1',
    FIT_CRON_SECRET: 'short',
  });
  assert.equal(code, 1);
  assert.match(
    stdout,
    /CRON_SCHEDULE='H 5 \* \* \*' is no schedule, such as '0 5 \* \* \*': .*illegal/,
  );
  assert.match(stdout, /CRON_TIMEZONE='Mars\/Phobos'/);
  assert.match(stdout, /CRON_CATCH_UP_MS='-1' must be a whole number from 0 to/);
  assert.match(stdout, /FIT_CRON_SECRET/);
});

test('SIGTERM, SIGINT and SIGHUP end cron at every moment of its start with the right exit code', async (t) => {
  const moments: readonly { readonly after: RegExp; readonly args: readonly string[] }[] = [
    { after: /^/, args: [] },
    { after: /metrics and health/, args: [] },
    { after: /does not accept/, args: [] },
    { after: /does not accept/, args: ['--once'] },
  ];
  for (const { after, args } of moments)
    for (const [signal, onceCode] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const) {
      const cron = startProgram(t, ['cron_job.ts', ...args], {
        ...process.env,
        // No server listens on this port, so cron waits for the monolith.
        FIT_URL: 'http://127.0.0.1:1',
        FIT_CRON_SECRET: makeSecret(),
        METRICS_PORT: '0',
      });
      await eventually(() => after.test(cron.output()), {
        deadlineMs: 60_000,
        describe: cron.output,
      });
      const code = await cron.stop(signal);
      const message = `${String(after)} ${args.join(' ')} ${signal}: ${String(code)}`;
      // Before its first line is executed, cron has no handler, and the signal itself ends it.
      if (after.source === '^')
        assert.ok(code === signal || code === onceCode || code === 0, message);
      else assert.equal(code, args.length > 0 ? onceCode : 0, message);
    }
});
