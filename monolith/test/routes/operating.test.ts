/**
 * Goal: operators pause queues and drain workers, administrators change settings, and every process obeys. Method: the routes over a
 * real database, and the settings of a second process beside them.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { Settings, SettingsStore } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import { workerStatus } from '../../../jobs/test/support/fakes.ts';
import { queueRoutes } from '../../src/queues/queueRoutes.ts';
import { readMonolithConfig } from '../../src/readMonolithConfig.ts';
import { settingRoutes } from '../../src/settings/settingRoutes.ts';
import { workerRoutes } from '../../src/workers/workerRoutes.ts';
import { serveAccounts } from '../support/serveAccounts.ts';

const QUEUE = 'createWodQueue';

async function serve(t: TestContext) {
  const environment = readMonolithConfig({ FIT_JOB_RETENTION_DAYS: '20' }).settings;
  const opened: { settings?: Settings<keyof typeof environment> } = {};
  const declaration = fitTopology({ profile: 'default' });
  const served = await serveAccounts(t, {
    routes: ({ store }) => {
      const settings = new Settings(new SettingsStore(store.database), environment);
      opened.settings = settings;
      const board = { readQueues: () => assert.fail('not asked') };
      const parts = { stores: store, settings, declaration, status: { board } };
      return [...queueRoutes(parts), ...workerRoutes(parts), ...settingRoutes(parts)];
    },
  });
  await opened.settings?.read();
  // Another process.
  const store = new SettingsStore(served.store.database);
  const coach = new Settings(store, { COACH_FAILURE_RATE: 0.5 }, 20);
  await coach.start();
  t.after(() => {
    coach.stop();
  });
  const tokens = {
    viewer: await served.tokenOf('viewer@example.org', 'viewer'),
    operator: await served.tokenOf('operator@example.org', 'operator'),
    admin: await served.tokenOf('admin@example.org', 'admin'),
  };
  const ask = async (who: keyof typeof tokens, method: string, path: string, body?: unknown) =>
    await served.ask(method, path, { token: tokens[who], ...(body === undefined ? {} : { body }) });
  return { served, coach, ask };
}

test('a pause is obeyed by every process and survives restarts; the first one stays until the resume', async (t) => {
  const { served, coach, ask } = await serve(t);
  const paused = await ask('operator', 'POST', `/queues/${QUEUE}/pause`, { reason: 'repair' });
  assert.equal(paused.status, 200);
  const { since, by, reason } = paused.body['paused'] as Record<string, string>;
  assert.equal(reason, 'repair');
  assert.equal(typeof by, 'string');
  await eventually(() => coach.pauseOf(QUEUE) !== undefined, { describe: () => 'not paused' });
  const again = await ask('admin', 'POST', `/queues/${QUEUE}/pause`, { reason: 'other' });
  assert.deepEqual(again.body['paused'], { since, by, reason });
  const restarted = await Settings.open(served.store.database, { COACH_FAILURE_RATE: 0 });
  restarted.stop();
  assert.equal(restarted.pauseOf(QUEUE)?.since.toISOString(), since);
  const resumed = await ask('operator', 'POST', `/queues/${QUEUE}/resume`);
  assert.deepEqual([resumed.status, resumed.body['paused']], [200, null]);
  await eventually(() => coach.pauseOf(QUEUE) === undefined, { describe: () => 'still paused' });
  const wait = await ask('operator', 'POST', `/queues/${QUEUE}.dead/pause`, { reason: 'x' });
  assert.deepEqual([wait.status, wait.body['code']], [404, 'queue_not_found']);
  assert.match(String(wait.body['title']), /createWodQueue\.dead.*these are: createWodQueue/);
  assert.equal((await ask('operator', 'POST', `/queues/${QUEUE}/pause`, {})).status, 400);
});

test('a worker is listed with its state, drained and resumed; one that is gone cannot be', async (t) => {
  const { served, ask } = await serve(t);
  const { store } = served;
  await store.workers.beat('one', { ...workerStatus(QUEUE), runningCount: 1 }, ['a', 'b']);
  await store.workers.beat('two', workerStatus(QUEUE), []);
  const old = new Date(store.clock.now().getTime() - 60_000);
  await store.raw('workers').updateOne({ _id: 'two' }, { $set: { seenAt: old } });
  const states = async () => {
    const { body } = await ask('viewer', 'GET', '/workers');
    return (body['workers'] as Record<string, unknown>[]).map(({ id, state, running, inHand }) => [
      id,
      state,
      running,
      inHand,
    ]);
  };
  assert.deepEqual(await states(), [
    ['one', 'working', 1, 2],
    ['two', 'gone', 0, 0],
  ]);
  const drained = await ask('operator', 'POST', '/workers/one/drain', { reason: 'slow' });
  assert.deepEqual([drained.status, drained.body['state']], [200, 'draining']);
  assert.equal((drained.body['drain'] as { reason: string }).reason, 'slow');
  await store.workers.beat('one', { ...workerStatus(QUEUE), isPaused: true }, []);
  assert.deepEqual((await states())[0], ['one', 'paused', 0, 0]);
  const resumed = await ask('operator', 'POST', '/workers/one/resume');
  assert.deepEqual([resumed.status, resumed.body['drain']], [200, null]);
  const gone = await ask('operator', 'POST', '/workers/two/drain', { reason: 'slow' });
  assert.deepEqual([gone.status, gone.body['code']], [404, 'worker_not_found']);
});

test('a setting is changed within its bounds, applied everywhere, and reset; its source says by whom', async (t) => {
  const { served, coach, ask } = await serve(t);
  await served.store.workers.beat(
    'one',
    { ...workerStatus(QUEUE), settings: { COACH_FAILURE_RATE: 0.5 } },
    [],
  );
  const setting = async (name: string) => {
    const { body } = await ask('viewer', 'GET', '/settings');
    const found = (body['settings'] as Record<string, unknown>[]).find(
      (one) => one['name'] === name,
    );
    assert.ok(found);
    return found;
  };
  const before = await setting('COACH_FAILURE_RATE');
  assert.deepEqual(
    [before['value'], before['source'], before['inForce'], before['default'], before['maximum']],
    [0.5, 'environment', [{ value: 0.5, workers: 1 }], 0, 1],
  );
  const days = await setting('FIT_JOB_RETENTION_DAYS');
  assert.deepEqual([days['value'], days['source'], days['default']], [20, 'environment', 30]);

  const tooMuch = await ask('admin', 'PATCH', '/settings', {
    COACH_FAILURE_RATE: 7,
    reason: 'demo',
  });
  assert.equal(tooMuch.status, 400);
  assert.deepEqual(tooMuch.body['errors'], [
    { field: 'body.COACH_FAILURE_RATE', reason: 'must be <= 1, not 7' },
  ]);
  const unknown = await ask('admin', 'PATCH', '/settings', { FIT_NONE: 7, reason: 'demo' });
  assert.match(
    JSON.stringify(unknown.body['errors']),
    /is not known; allowed are COACH_FAILURE_RATE/,
  );
  const apart = await ask('admin', 'PATCH', '/settings', {
    FIT_WORKOUT_RETENTION_DAYS: 10,
    reason: 'demo',
  });
  assert.match(
    JSON.stringify(apart.body['errors']),
    /is 10 and must be at least FIT_JOB_RETENTION_DAYS \(20\)/,
  );
  const asOperator = await ask('operator', 'PATCH', '/settings', {
    COACH_FAILURE_RATE: 0.2,
    reason: 'demo',
  });
  assert.equal(asOperator.status, 403);

  const changed = await ask('admin', 'PATCH', '/settings', {
    COACH_FAILURE_RATE: 0.2,
    reason: 'demo',
  });
  assert.equal(changed.status, 200);
  await eventually(() => coach.valueOf('COACH_FAILURE_RATE') === 0.2, {
    describe: () => String(coach.valueOf('COACH_FAILURE_RATE')),
  });
  const after = await setting('COACH_FAILURE_RATE');
  assert.deepEqual([after['value'], after['source']], [0.2, 'changed']);
  assert.equal((after['changed'] as { reason: string }).reason, 'demo');
  // Two changes at the same time: neither is lost.
  await Promise.all([
    ask('admin', 'PATCH', '/settings', { FIT_RELAY_SECONDS: 9, reason: 'demo' }),
    ask('admin', 'PATCH', '/settings', { FIT_REGISTRATION: 'closed', reason: 'demo' }),
  ]);
  assert.equal((await setting('FIT_RELAY_SECONDS'))['value'], 9);
  assert.equal((await setting('FIT_REGISTRATION'))['value'], 'closed');
  const reset = await ask('admin', 'PATCH', '/settings', {
    reset: ['COACH_FAILURE_RATE'],
    reason: 'over',
  });
  assert.equal(reset.status, 200);
  await eventually(() => coach.valueOf('COACH_FAILURE_RATE') === 0.5, {
    describe: () => String(coach.valueOf('COACH_FAILURE_RATE')),
  });
});
