/** Goal: scripts get queues, status and events from a running monolith. Method: real monolith, broker and database, no coach. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FitClient } from '@fit/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import { eventually, noonTimezone, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import type { QueueReport } from '../../src/queues/queueStatus.ts';
import type { Status } from '../../src/status/statusBoard.ts';

describe('a monolith without coaches', () => {
  let system: System;
  let client: FitClient;
  let folder: string;
  const undos: (() => Promise<void>)[] = [];

  /** Nothing listens there: a Prometheus of this machine must not be asked. */
  const PROMETHEUS_URL = 'http://127.0.0.1:1';

  before(async () => {
    // Not node:test's own `after`: called in a hook, it ends with the hook.
    const broker = await testBroker({ after: (undo) => undos.push(undo) });
    folder = await mkdtemp(join(tmpdir(), 'fit-status-'));
    system = await startSystem({
      amqpUrl: broker.amqpUrl,
      managementUrl: broker.managementUrl,
      mongodbUrl: testDatabaseUrl(),
      folder,
      coachCount: 0,
      env: { PROMETHEUS_URL, CRON_TIMEZONE: noonTimezone() },
    });
    client = new FitClient(system.monolith.url, system.adminToken);
  });
  after(async () => {
    await system.stop();
    for (const undo of undos) await undo();
    await rm(folder, { recursive: true, force: true });
  });

  const status = async () => (await client.request('GET', '/status')) as Status;

  /** A status may tell what was so two seconds ago. @returns the first that holds. */
  async function eventualStatus(check: (status: Status) => void): Promise<Status> {
    let seen: Status | undefined;
    const probe = async () => {
      seen = await status();
      check(seen);
      return seen;
    };
    return await eventually(probe, { deadlineMs: 30_000, describe: () => JSON.stringify(seen) });
  }

  test('before any run: no run, alerts unknown, every queue there and empty', async () => {
    const { queues } = await eventualStatus(({ today, alerts }) => {
      assert.deepEqual([today.verdict, today.outbox?.pending], ['none', 0]);
      assert.equal(alerts.freshness.isStale, true);
      assert.match(alerts.freshness.reason ?? '', /Prometheus at 127\.0\.0\.1:1 does not answer/);
    });
    assert.deepEqual(queues.queues.map(({ role }) => role).sort(), [
      'dlq',
      'main',
      'wait',
      'wait',
      'wait',
    ]);
  });

  test('a run for one member is told as such, and nobody else is said to be served', async () => {
    const users = sampleUsers(20);
    await client.createUsers(users);
    await client.generateWods({ userIds: users.slice(0, 1).map(({ id }) => id) });
    const today = await eventually(
      async () => {
        const answer = await status();
        return answer.today.run !== null && answer.today;
      },
      { describe: async () => JSON.stringify(await status()) },
    );
    assert.deepEqual([today.run?.isForEveryone, today.total], [false, 1]);
  });

  test('a run nobody works off: its jobs are in the queue, in the fill, and in what is missing', async () => {
    await client.generateWods();
    const mainOf = ({ queues }: QueueReport) => queues.find(({ role }) => role === 'main');
    let seen: QueueReport | undefined;
    await eventually(
      async () => {
        seen = (await client.request('GET', '/queues')) as QueueReport;
        const main = mainOf(seen);
        assert.deepEqual(
          [seen.source, seen.freshness.isStale, main?.counted, main?.limit, main?.fillRatio],
          ['management', false, 20, 10_000, 0.002],
        );
        assert.ok((main?.oldestAgeSeconds ?? -1) >= 0);
        return true;
      },
      { deadlineMs: 30_000, describe: () => JSON.stringify(seen) },
    );
    await eventualStatus(({ today }) => {
      assert.deepEqual([today.verdict, today.served, today.total], ['running', 0, 20]);
      assert.equal(today.run?.isForEveryone, true);
      assert.deepEqual(today.missing, { queued: 20 });
    });
  });

  test('the stream begins with the same status, and ends when the monolith stops', async () => {
    const response = await fetch(`${system.monolith.url}/events`, {
      headers: { authorization: `Bearer ${system.adminToken}` },
    });
    const body = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/\ndata: .*\n\n/.test(text)) text += (await body.read()).value ?? '';
    const data = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Status;
    assert.equal(data.today.total, 20);
    const startedAt = performance.now();
    await system.monolith.child.stop();
    while (!(await body.read()).done);
    assert.ok(performance.now() - startedAt < 4_500, 'an open stream does not hold up the stop');
    await system.restartMonolith();
  });

  test('what Prometheus says is passed on', async (t) => {
    const prometheus = createServer((_, response) => {
      const labels = { alertname: 'Watchdog', severity: 'none' };
      const alert = {
        labels,
        annotations: {},
        state: 'firing',
        activeAt: new Date().toISOString(),
      };
      const fires = { ...alert, labels: { alertname: 'QueueNearFull', severity: 'warning' } };
      response.end(JSON.stringify({ status: 'success', data: { alerts: [alert, fires] } }));
    });
    await new Promise<void>((resolve) => prometheus.listen(0, '127.0.0.1', resolve));
    t.after(() => prometheus.close());
    const { port } = prometheus.address() as { port: number };
    await system.restartMonolith({ PROMETHEUS_URL: `http://127.0.0.1:${port}` });
    await eventualStatus(({ alerts }) => {
      assert.deepEqual([alerts.isEvaluated, alerts.freshness.isStale], [true, false]);
      assert.deepEqual(
        alerts.firing.map(({ name }) => name),
        ['QueueNearFull'],
      );
    });
  });
});
