/** Goal: who watches the daily trigger sees what it did, waits for, and does next. Method: a real one that stays, with its own port. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeSecret } from '@fit/service/secret-file';
import { sampleUsers } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { type Cron, startCron } from './support/cron.ts';
import { readPage } from './support/metricsPage.ts';
import { REPOSITORY, startWorld } from './support/world.ts';

async function runsOf({ url }: Cron): Promise<Record<string, number>> {
  const page = await readPage(`${url}/metrics`);
  return Object.fromEntries(
    ['complete', 'incomplete', 'failed'].map((outcome) => [
      outcome,
      page.sum('cron_runs_total', { outcome }),
    ]),
  );
}

async function expectComplete(cron: Cron): Promise<void> {
  await eventually(async () => (await runsOf(cron))['complete'] === 1, {
    deadlineMs: 60_000,
    describe: cron.output,
  });
}

/** It asks the monolith, and a busy machine may let it wait for the answer too long. */
async function expectReady({ url }: Cron): Promise<void> {
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

test('a run that it caught up is counted, timed and dated; then it stops clean', async (t) => {
  const world = await startWorld(t);
  await world.client.createUsers(sampleUsers(5));
  const startedAtSeconds = Date.now() / 1_000;
  const cron = await startCron(t, world);
  await expectComplete(cron);
  assert.deepEqual(await runsOf(cron), { complete: 1, incomplete: 0, failed: 0 });
  const page = await readPage(`${cron.url}/metrics`);
  assert.ok(page.sum('cron_last_success_timestamp_seconds') >= startedAtSeconds);
  assert.equal(page.sum('cron_run_duration_seconds_count'), 1);
  // Daily, so within a day.
  const inSeconds = page.sum('cron_next_run_timestamp_seconds') - Date.now() / 1_000;
  assert.ok(inSeconds > 0 && inSeconds <= 86_400, `${inSeconds}`);
  // The monolith knows by when the next run must have ended: the slot, an hour, five minutes. It outlives cron.
  const nextSeconds = page.sum('cron_next_run_timestamp_seconds');
  await eventually(async () => (await world.client.dailyRunDueBy()) !== undefined, {
    describe: cron.output,
  });
  const dueBy = await world.client.dailyRunDueBy();
  assert.equal((dueBy?.getTime() ?? 0) / 1_000, nextSeconds + 3_600 + 300);
  await expectReady(cron);
  assert.equal(await cron.stop(), 0);
  assert.deepEqual(await world.client.dailyRunDueBy(), dueBy);
  await assert.rejects(world.client.request('PUT', '/dailyRun', { body: { dueBy: 'soon' } }));
  await world.client.expectDailyRun(undefined);
  assert.equal(await world.client.dailyRunDueBy(), undefined);
});

test('a monolith that is not ready is waited for, with its own reason; cron is alive meanwhile', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const world = await startWorld(t, {}, { mongodbUrl: proxy.url });
  await world.client.createUsers(sampleUsers(5));
  proxy.holdReplies();
  const cron = await startCron(t, world);
  await eventually(() => /not ready \(.*store/.test(cron.output()), { describe: cron.output });
  const ready = await fetch(`${cron.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /monolith/);
  assert.equal((await fetch(`${cron.url}/livez`)).status, 200);
  proxy.release();
  await expectComplete(cron);
  await expectReady(cron);
});

test('a slot that is older than the window is named and not asked for; with 0 none is', async (t) => {
  const world = await startWorld(t);
  await world.client.createUsers(sampleUsers(5));
  const leapDay = await startCron(t, world, { CRON_SCHEDULE: '0 5 29 2 *' });
  await eventually(() => /the last slot.* is not requested/.test(leapDay.output()), {
    describe: leapDay.output,
  });
  assert.match(leapDay.output(), /-02-29, is not requested: .*CRON_CATCH_UP_MS=86400000/);
  assert.match(leapDay.output(), /next slot \d{4}-02-29T05:00:00.000Z for \d{4}-02-29/);
  await eventually(async () => (await world.client.dailyRunDueBy()) !== undefined, {
    describe: leapDay.output,
  });
  // A run that was missed: a restart that asks for nothing must not end the alert.
  const missed = new Date('2026-01-01T06:05:00Z');
  await world.client.expectDailyRun(missed);
  const never = await startCron(t, world, { CRON_CATCH_UP_MS: '0' });
  await eventually(() => /is not requested: .*CRON_CATCH_UP_MS=0/.test(never.output()), {
    describe: never.output,
  });
  for (const cron of [leapDay, never]) {
    assert.deepEqual(await runsOf(cron), { complete: 0, incomplete: 0, failed: 0 });
    assert.equal(await cron.stop(), 0);
  }
  assert.deepEqual(await world.client.dailyRunDueBy(), missed);
  const { runs } = (await world.client.request('GET', '/runs')) as { runs: unknown[] };
  assert.deepEqual(runs, []);
});

test('it fires slot after slot, each under its own key', async (t) => {
  const world = await startWorld(t);
  await world.client.createUsers(sampleUsers(3));
  const cron = await startCron(t, world, {
    CRON_SCHEDULE: '*/2 * * * * *',
    CRON_CATCH_UP_MS: '0',
  });
  await eventually(async () => ((await runsOf(cron))['complete'] ?? 0) >= 3, {
    deadlineMs: 120_000,
    describe: cron.output,
  });
  const runIds = [...cron.output().matchAll(/ run (\S+) for /g)].map(([, id]) => id);
  assert.equal(new Set(runIds).size, runIds.length);
  assert.equal(await cron.stop(), 0);
});

test('a bad configuration ends the start with every variable at fault, its value and what would be right', async () => {
  // Another parser of schedules knows H, for a time that it chooses anew at each start.
  const env = {
    ...process.env,
    CRON_SCHEDULE: 'H 5 * * *',
    CRON_TIMEZONE: 'Mars/Phobos',
    CRON_CATCH_UP_MS: '-1',
    FIT_ADMIN_TOKEN: 'short',
  };
  const ended = promisify(execFile)(process.execPath, ['cron_job.ts'], { cwd: REPOSITORY, env });
  await assert.rejects(ended, ({ code, stdout }: { code: number; stdout: string }) => {
    assert.equal(code, 1);
    assert.match(
      stdout,
      /CRON_SCHEDULE='H 5 \* \* \*' is no schedule, such as '0 5 \* \* \*': .*illegal/,
    );
    assert.match(stdout, /CRON_TIMEZONE='Mars\/Phobos'/);
    assert.match(stdout, /CRON_CATCH_UP_MS='-1' must be a whole number from 0 to/);
    assert.match(stdout, /FIT_ADMIN_TOKEN/);
    return true;
  });
});

test('each signal ends it at every moment of its start, and says so by its exit code', async (t) => {
  const moments: readonly { readonly after: RegExp; readonly args: readonly string[] }[] = [
    { after: /^/, args: [] },
    { after: /metrics and health/, args: [] },
    { after: /is not ready/, args: [] },
    { after: /is not ready/, args: ['--once'] },
  ];
  for (const { after, args } of moments)
    for (const [signal, onceCode] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const) {
      const child = spawn(process.execPath, ['cron_job.ts', ...args], {
        cwd: REPOSITORY,
        env: {
          ...process.env,
          // Nobody listens there, so that it waits for the monolith.
          FIT_URL: 'http://127.0.0.1:1',
          FIT_ADMIN_TOKEN: makeSecret(),
          METRICS_PORT: '0',
        },
      });
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      await eventually(() => after.test(output), { deadlineMs: 60_000, describe: () => output });
      const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
      child.kill(signal);
      const [code, by] = await exit;
      const told = `${String(after)} ${args.join(' ')} ${signal}: ${String(code)} ${String(by)}`;
      // Before its first line runs, the signal itself ends it.
      if (after.source === '^') assert.ok(by === signal || code === onceCode || code === 0, told);
      else assert.equal(code, args.length > 0 ? onceCode : 0, told);
    }
});
