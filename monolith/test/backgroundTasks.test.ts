/** Goal: /livez names a background task that hangs. Method: a real broker and database, and a round that does not end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import type { JobRecord } from '@fit/jobs';
import { JobStore } from '@fit/jobs/store';
import { Health } from '@fit/service';
import { eventually, testBroker } from '@fit/stack/testing';
import { testStore } from '../../jobs/test/support/testStore.ts';
import { livenessOf, startBackgroundTasks } from '../src/backgroundTasks.ts';
import { readMonolithConfig } from '../src/readMonolithConfig.ts';

test('/livez is 503 and names the relay while a round of it does not end, and 200 when it ends', async (t) => {
  const closers: (() => Promise<void> | void)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const broker = await testBroker({ after: (close) => closers.push(close) });
  const store = await testStore({ after: (close) => closers.push(close) });
  const hung = Promise.withResolvers<JobRecord[]>();
  class HangingStore extends JobStore {
    override pending(): Promise<JobRecord[]> {
      return hung.promise;
    }
  }
  const tasks = await startBackgroundTasks({
    ...readMonolithConfig({ FIT_ADMIN_TOKEN: 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe' }),
    amqpUrl: broker.amqpUrl,
    managementUrl: broker.managementUrl,
    declaration: fitTopology({ profile: 'default' }),
    store: new HangingStore(store.database),
    leases: store.leases,
    deadLetters: store.deadLetters,
    onEvent: () => undefined,
    onSession: () => undefined,
    onPublish: () => undefined,
    stuckAfterMs: 8_000,
  });
  closers.push(() => tasks.stop());
  // The round must end before the stop, which waits for it.
  closers.push(() => {
    hung.resolve([]);
  });
  const health = new Health({
    stopping: new AbortController().signal,
    ready: {},
    alive: livenessOf(() => tasks),
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
