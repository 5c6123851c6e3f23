/** Goal: a running monolith serves queues, status and events. Method: a real monolith, broker and database, without a coach. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FitClient } from '@fit/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import { eventually, noonTimezone, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import type { QueueReport } from '../../src/queues/queueStatus.ts';
import type { Status } from '../../src/status/statusBoard.ts';

describe('a monolith without coaches', () => {
  let system: System;
  let client: FitClient;
  let folder: string;
  const undos: (() => Promise<void>)[] = [];

  /** Nothing listens there; a Prometheus that runs on this machine must not be asked. */
  const PROMETHEUS_URL = 'http://127.0.0.1:1';

  before(async () => {
    // `after` of node:test would run at the end of this hook when it is called in a hook.
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
    client = system.client;
  });
  after(async () => {
    await system.stop();
    for (const undo of undos) await undo();
    await rm(folder, { recursive: true, force: true });
  });

  const status = async () => (await client.request('GET', '/status')) as Status;

  /** The status may be two seconds old. @returns the first one that passes the check. */
  async function eventualStatus(check: (status: Status) => void): Promise<Status> {
    let seen: Status | undefined;
    const probe = async () => {
      seen = await status();
      check(seen);
      return seen;
    };
    return await eventually(probe, { deadlineMs: 30_000, describe: () => JSON.stringify(seen) });
  }

  test('before any run the status has no run, unknown alerts, and every queue', async () => {
    const { queues } = await eventualStatus(({ today, alerts }) => {
      assert.deepEqual([today.verdict, today.outbox?.pending], ['none', 0]);
      assert.equal(alerts.freshness.isStale, true);
      assert.match(alerts.freshness.reason ?? '', /Prometheus at 127\.0\.0\.1:1 does not answer/);
    });
    assert.deepEqual(
      queues.queues
        .filter(({ kind }) => kind === 'createWod')
        .map(({ role }) => role)
        .sort(),
      ['dlq', 'main', 'wait', 'wait', 'wait'],
    );
  });

  test('a run for one user is reported as a run for some', async () => {
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

  test('without a coach the jobs of a run show in the queue, in its fill and as missing', async () => {
    await client.generateWods();
    const mainOf = ({ queues }: QueueReport) => queues.find(({ role }) => role === 'main');
    let seen: QueueReport | undefined;
    await eventually(
      async () => {
        seen = (await client.request('GET', '/queues')) as QueueReport;
        const main = mainOf(seen);
        assert.deepEqual(
          [seen.source, seen.freshness.isStale, main?.countedByLimit, main?.limit, main?.fillRatio],
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

  test('the topology has each queue with its depth, and every edge joins two nodes', async () => {
    const graph = (await client.request('GET', '/topology')) as {
      asOf: string;
      nodes: { id: string; column: string; queue?: { ready: number; limit: number | null } }[];
      edges: { from: string; to: string; type: string; keys: string[] }[];
    };
    const ids = new Set(graph.nodes.map(({ id }) => id));
    for (const { from, to } of graph.edges)
      assert.ok(ids.has(from) && ids.has(to), `${from} → ${to}`);
    const queue = graph.nodes.find(({ id }) => id === 'queue:createWodQueue');
    assert.deepEqual([queue?.column, queue?.queue?.limit], ['main', 10_000]);
    const columnsOf = [...new Set(graph.nodes.map(({ column }) => column))];
    assert.deepEqual(columnsOf, ['exchange', 'main', 'wait', 'dlq']);
    const binding = graph.edges.find(
      ({ from, to }) => from === 'exchange:jobs' && to === queue?.id,
    );
    assert.deepEqual([binding?.type, binding?.keys], ['binding', ['job.createWod']]);
    const ageMs = Date.now() - Date.parse(graph.asOf);
    assert.ok(ageMs < 20_000, `${ageMs} ms old`);
    assert.deepEqual(await client.request('GET', '/workers'), { workers: [] });
    const alerts = (await client.request('GET', '/alerts')) as { state: string; firing: unknown };
    assert.deepEqual([alerts.state, alerts.firing], ['unknown', null]);
  });

  test('a coach that starts takes nothing of a paused queue, until the queue is resumed', async () => {
    const queue = async () => {
      const { queues } = (await client.request('GET', '/queues')) as QueueReport;
      return queues.find(({ name }) => name === 'createWodQueue');
    };
    const workers = async () =>
      ((await client.request('GET', '/workers')) as { workers: { queue: string; state: string }[] })
        .workers;
    await client.request('POST', '/queues/createWodQueue/pause', {
      body: { reason: 'a test' },
    });
    assert.equal((await queue())?.paused?.reason, 'a test');
    const coach = await system.addCoach();
    await eventually(
      async () =>
        (await workers()).some(
          ({ queue: of, state }) => of === 'createWodQueue' && state === 'paused',
        ),
      { deadlineMs: 30_000, describe: async () => JSON.stringify(await workers()) },
    );
    const metrics = await (await fetch(coach.metricsUrl)).text();
    assert.match(metrics, /jobs_queue_paused\{[^}]*queue="createWodQueue"[^}]*\} 1\n/);
    assert.equal((await status()).today.served, 0);
    await client.request('POST', '/queues/createWodQueue/resume');
    await eventualStatus(({ today }) => {
      assert.deepEqual([today.verdict, today.served], ['served', 20]);
    });
  });

  test('the event stream begins with the status, and ends when the monolith stops', async () => {
    const response = await fetch(`${system.monolith.url}/events`, {
      headers: { authorization: `Bearer ${await client.token()}` },
    });
    const body = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/\ndata: .*\n\n/.test(text)) text += (await body.read()).value ?? '';
    const data = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Status;
    assert.equal(data.today.total, 20);
    await system.monolith.child.stop();
    // A stream that is open at the limit of the stop is cut, and then reading fails.
    while (!(await body.read()).done);
    await system.restartMonolith();
  });

  test('alerts that fire in Prometheus are in the status', async (t) => {
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
