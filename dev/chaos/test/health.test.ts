/** Goal: whoever asks is told the truth in time: while a process drains, and while its database hangs. Method: real processes, a wire that can be held. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '@fit/stack';
import { sampleUsers } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { DAY, follow, startWorld } from './support/world.ts';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly why?: string }>>;
  };
}

/** Longer than the deadline of one check; a scrape has no dependency and gets less. */
const HEALTH_MS = 2_000;
const SCRAPE_MS = 1_000;

/** The public port and the operators'. */
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
  /** Of every port at once. */
  readonly holds: (answer: Answer) => boolean;
}

/** A machine that is busy makes a check late once, so the answer is waited for. */
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

/** @param ok the check that must hold beside it. */
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

test('a coach with a long job drains: 503 draining and alive on both ports, then the job is done', async (t) => {
  // Shorter than a coach drains, and long enough for all that is asked meanwhile.
  const world = await startWorld(t, { COACH_WORK_MS: '15000' });
  const { client, system } = world;
  const [coach] = system.coaches;
  assert.ok(coach);
  for (const { status, body } of await expectStatus(coach, 'ready')) {
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body.checks), ['store', 'channel', 'topology', 'accepting']);
  }
  await client.createUsers(sampleUsers(1));
  const { runId } = await client.generateWods({ date: DAY });
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
  // Done by the coach that was told to stop: there is no other.
  assert.deepEqual((await follow(world, runId)).states, { done: 1 });
});

test('a database that hangs: not ready and why, alive, scraped in time; then it drains and stops', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const { system } = await startWorld(t, {}, { mongodbUrl: proxy.url, coachCount: 0 });
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
