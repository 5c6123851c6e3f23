/**
 * Goal: health and metrics answer in time and correctly while a process drains and while its database does not answer. Method:
 * real processes, and a proxy before the database that can hold its replies.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '@fit/stack';
import { sampleUsers } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly why?: string }>>;
  };
}

/** Longer than the deadline of one health check. A scrape sends no request to a dependency, so its limit is shorter. */
const HEALTH_MS = 2_000;
const SCRAPE_MS = 1_000;

/** The public port and the operators' port. */
function portsOf({ url, metricsUrl }: Service): string[] {
  return [url, metricsUrl.replace('/metrics', '')];
}

async function ask(base: string, path: string): Promise<Answer> {
  const response = await fetch(`${base}${path}`, { signal: AbortSignal.timeout(HEALTH_MS) });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function valueOf({ metricsUrl }: Service, name: string): Promise<number> {
  const response = await fetch(metricsUrl, { signal: AbortSignal.timeout(SCRAPE_MS) });
  const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

interface Expected {
  readonly path: string;
  /** Must be true for the answers of both ports at once. */
  readonly holds: (answer: Answer) => boolean;
}

/** Polls, because one check may be late on a busy machine. */
async function expectAnswers(service: Service, { path, holds }: Expected): Promise<Answer[]> {
  let answers: Answer[] = [];
  await eventually(
    async () => {
      answers = await Promise.all(portsOf(service).map((port) => ask(port, path)));
      return answers.every(holds);
    },
    { describe: () => `${path}: ${JSON.stringify(answers)}` },
  );
  return answers;
}

/** @param ok name of a check that must hold at the same time. */
async function expectStatus(service: Service, status: string, ok?: string): Promise<Answer[]> {
  const holds = ({ body }: Answer) =>
    body.status === status && (ok === undefined || body.checks[ok]?.ok === true);
  return await expectAnswers(service, { path: '/readyz', holds });
}

async function expectCode(service: Service, path: string, code: number): Promise<void> {
  await expectAnswers(service, { path, holds: ({ status }) => status === code });
}

async function expectValue(service: Service, name: string, value: number): Promise<void> {
  await eventually(async () => (await valueOf(service, name)) === value, {
    describe: async () => `${name} is ${await valueOf(service, name)}, not ${value}`,
  });
}

test('a coach that is stopped during a job answers 503 draining and is alive on both ports, then finishes the job', async (t) => {
  // Shorter than the time that a coach may drain, and long enough for all requests below.
  const tested = await startSystemUnderTest(t, { COACH_WORK_MS: '15000' });
  const { client, system } = tested;
  const [coach] = system.coaches;
  assert.ok(coach);
  for (const { status, body } of await expectStatus(coach, 'ready')) {
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body.checks), ['store', 'channel', 'topology', 'accepting']);
  }
  await client.createUsers(sampleUsers(1));
  const { runId } = await client.generateWods({ date: DATE });
  await expectValue(coach, 'jobs_in_flight', 1);
  const stopped = coach.child.stop();
  for (const { status, body } of await expectStatus(coach, 'draining', 'store')) {
    assert.equal(status, 503);
    assert.match(body.checks['accepting']?.why ?? '', /asked to stop/);
  }
  await expectCode(coach, '/healthz', 503);
  await expectCode(coach, '/livez', 200);
  await expectValue(coach, 'app_draining', 1);
  await expectValue(coach, 'jobs_in_flight', 1);
  await stopped;
  // There is no other coach, so the one that was stopped has done the job.
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 1 });
});

test('while the database does not answer, the monolith is not ready with the reason, alive and scraped in time; then it drains and stops', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const { system } = await startSystemUnderTest(t, {}, { mongodbUrl: proxy.url, coachCount: 0 });
  const { monolith } = system;
  await expectStatus(monolith, 'ready');
  proxy.holdReplies();
  for (const { status, body } of await expectStatus(monolith, 'not ready', 'channel')) {
    assert.equal(status, 503);
    assert.equal(body.checks['store']?.ok, false);
    assert.match(body.checks['store'].why ?? '', /no answer within 1000 ms|does not answer/);
  }
  await expectCode(monolith, '/livez', 200);
  await eventually(
    async () =>
      (await valueOf(monolith, 'jobs_records_age_seconds')) > 6 &&
      (await valueOf(monolith, 'jobs_records_refresh_failures_total')) > 0,
    {
      deadlineMs: 20_000,
      describe: async () => String(await valueOf(monolith, 'jobs_records_age_seconds')),
    },
  );
  const stopped = monolith.child.stop();
  await expectStatus(monolith, 'draining');
  proxy.release();
  await stopped;
});
