/** Goal: who watches the daily trigger sees what it did, waits for, and does next. Method: a real one that stays, with its own port. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeSecret } from '@fit/http/secret-file';
import { sampleUsers } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../topology/test/support/openProxy.ts';
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
    ...{ deadlineMs: 60_000, describe: cron.output },
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
  await expectReady(cron);
  assert.equal(await cron.stop(), 0);
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

test('a schedule that nothing would ever fire by ends the start with its name', async () => {
  // One parser of schedules knows Jenkins' H, the other does not.
  const env = { ...process.env, CRON_SCHEDULE: 'H 5 * * *', FIT_ADMIN_TOKEN: makeSecret() };
  const ended = promisify(execFile)(process.execPath, ['cron_job.ts'], { cwd: REPOSITORY, env });
  await assert.rejects(ended, ({ code, stdout }: { code: number; stdout: string }) => {
    assert.equal(code, 1);
    assert.match(stdout, /CRON_SCHEDULE='H 5 \* \* \*' is no schedule/);
    return true;
  });
});
