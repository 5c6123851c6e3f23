/**
 * Goal: /livez names a background task that hangs, and only such a task; a late confirm makes no copies. Method: a real broker and
 * database, a search of the relay that does not end, a queue that nobody consumes, and a proxy that holds confirms back.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { type JobEvent, type RunRecord, startBackgroundTasks } from '@fit/jobs';
import { countingRunStore, type JobStores, RunStore } from '@fit/jobs/store';
import { Health } from '@fit/service';
import { eventually, testBroker } from '@fit/stack/testing';
import { createConnection } from '@fit/topology';
import { type TestStore, testStore } from '../../jobs/test/support/testStore.ts';
import { openProxy, type Proxy } from '../../topology/test/support/openProxy.ts';
import { RunStarter } from '../src/runs/runStarter.ts';
import { wodSource } from '../src/runs/wodSource.ts';
import { UserStore } from '../src/store/userStore.ts';
import { watchTasks } from '../src/taskLiveness.ts';

interface Options {
  /** @returns the stores that the tasks use; default: those of the database. */
  readonly storesOf?: (store: TestStore, proxy: Proxy) => JobStores;
  readonly stuckAfterMs: number;
  /** Called before the tasks are stopped. */
  readonly beforeStop?: () => void;
}

async function startTasks(t: TestContext, { storesOf, stuckAfterMs, beforeStop }: Options) {
  const closers: (() => Promise<void> | void)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const broker = await testBroker({ after: (close) => closers.push(close) });
  const store = await testStore({ after: (close) => closers.push(close) });
  const users = new UserStore(store.database);
  const events: JobEvent[] = [];
  const publishes: string[] = [];
  const proxy = await openProxy({ after: (close) => closers.push(close) }, broker.amqpUrl);
  const liveness = watchTasks(stuckAfterMs);
  const connection = await createConnection({
    url: proxy.url,
    managementUrl: broker.managementUrl,
    logger: false,
    hooks: {
      onEvent: (event) => {
        if (event.type === 'published') publishes.push(event.result);
      },
    },
  });
  closers.push(async () => {
    await connection.close({ deadline: 0 });
  });
  const tasks = await startBackgroundTasks({
    connection,
    retentionPolicy: { jobDays: 30, effectDays: 365 },
    declaration: fitTopology({ profile: 'default' }),
    stores: storesOf?.(store, proxy) ?? store,
    countingRuns: countingRunStore(store.database, store),
    source: wodSource({ users, largeRunShare: 0 }),
    effects: {
      findStored: () => Promise.resolve(new Set()),
      idsOf: () => [],
      delete: () => Promise.resolve(0),
    },
    onEvent: (event) => events.push(event),
    onRound: liveness.onRound,
  });
  liveness.begin();
  closers.push(() => tasks.stop());
  closers.push(() => beforeStop?.());
  const health = new Health({
    stopping: new AbortController().signal,
    ready: {},
    alive: liveness.checks,
  });
  return { store, users, tasks, events, publishes, proxy, health };
}

test('/livez is 503 and names the relay while its search does not end, and 200 when it ends', async (t) => {
  const hung = Promise.withResolvers<RunRecord[]>();
  class HangingRuns extends RunStore {
    override claim(): Promise<RunRecord[]> {
      return hung.promise;
    }
  }
  const { health } = await startTasks(t, {
    storesOf: (store) => ({ ...store, runs: new HangingRuns(store.database, store.clock) }),
    stuckAfterMs: 8_000,
    // The search must end before the stop, which waits for it.
    beforeStop: () => {
      hung.resolve([]);
    },
  });
  const seen = { body: '' };
  const isRelayOk = async (isOk: boolean) => {
    const { status, body } = await health.alive();
    seen.body = JSON.stringify(body);
    const relay = body.checks['relay'];
    if (relay?.ok !== isOk) return false;
    if (!isOk) {
      assert.equal(status, 503);
      assert.match(relay.why ?? '', /^no sign of life for \d+ s$/);
    }
    return true;
  };
  assert.equal(await isRelayOk(true), true);
  const describe = () => seen.body;
  await eventually(() => isRelayOk(false), { deadlineMs: 60_000, describe });
  hung.resolve([]);
  await eventually(() => isRelayOk(true), { deadlineMs: 60_000, describe });
});

/** Creates users and starts a run for all of them. */
async function startRun(
  { store, users, tasks }: Awaited<ReturnType<typeof startTasks>>,
  userCount: number,
) {
  const profiles = Array.from({ length: userCount }, (_, index) => ({
    id: `user-${index}`,
    level: 'rx' as const,
    equipment: [],
  }));
  await users.create(profiles, new Date());
  const starter = new RunStarter({
    runs: store.runs,
    expander: () => tasks.relay,
    today: () => '2026-12-05',
  });
  const { _id } = await starter.start({
    date: undefined,
    userIds: undefined,
    keyHash: undefined,
    traceparent: undefined,
  });
  return { runOf: async () => await store.runs.find(_id) };
}

test('a relay that waits because the queue is as full as it should be is not stuck', async (t) => {
  const started = await startTasks(t, { stuckAfterMs: 4_000 });
  const { store, events, health } = started;
  // More than half of the queue's limit of 10,000, which is the most that the relay makes of a queue.
  const { runOf } = await startRun(started, 7_000);
  const describe = async () => JSON.stringify(await runOf());
  await eventually(async () => (await store.batches.countOpen()).pageJobs > 0, { describe });
  const roundsBefore = events.length;
  await eventually(() => events.slice(roundsBefore).filter(isRelayRound).length >= 12, {
    deadlineMs: 60_000,
    describe,
  });
  assert.ok((await store.batches.countOpen()).pageJobs > 0, await describe());
  assert.ok(((await runOf())?.expanded ?? 0) < 7_000, await describe());
  const { status, body } = await health.alive();
  assert.equal(status, 200, JSON.stringify(body));
});

test('a confirm that comes late is no lost one: each job is published once', async (t) => {
  const started = await startTasks(t, {
    storesOf: (store, proxy) => {
      const sign = store.signer.sign.bind(store.signer);
      // From the first message on, nothing that the broker sends arrives.
      store.signer.sign = (body) => {
        proxy.holdReplies();
        return sign(body);
      };
      return store;
    },
    stuckAfterMs: 120_000,
  });
  const { events, publishes, proxy, tasks } = started;
  const { runOf } = await startRun(started, 50);
  const describe = async () => JSON.stringify({ publishes, run: await runOf() });
  await eventually(() => tasks.pendingPublishCount === 50, { describe });
  // The relay searches about once a second: after eleven searches the confirms are later than the default of a publisher allows.
  const searchesBefore = events.filter(isRelayRound).length;
  await eventually(() => events.filter(isRelayRound).length >= searchesBefore + 11, {
    deadlineMs: 60_000,
    describe,
  });
  assert.deepEqual([tasks.pendingPublishCount, publishes], [50, []]);
  proxy.release();
  await eventually(async () => (await runOf())?.expanded === 50, { describe });
  assert.deepEqual(publishes, Array(50).fill('confirmed'));
});

function isRelayRound(event: JobEvent): boolean {
  return event.type === 'roundEnded' && event.task === 'relay';
}
