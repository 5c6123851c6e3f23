/** Goal: verify finds nothing on a correct broker, for every shape of declaration. Method: verifications on a real broker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { askManagement } from '@fit/stack/testing';
import { type Declaration, declareTopology } from '@fit/topology';
import { brokerFacts } from '../../../topology/test/support/brokerFacts.ts';
import { ASSIGNMENT, DEFAULT } from '../../../topology/test/support/declarations.ts';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { type VerifyProgress, verifyTopology } from '../../src/verify/verifyTopology.ts';
import { broker, differencesOf, runVerify } from './runVerification.ts';

const NATIVE = declareTopology({
  exchange: 'jobs',
  kinds: {
    one: {
      key: 'job.one',
      queue: 'one',
      tiers: ['5s', '10s', '15s'],
      backend: 'native',
      messageTtl: '60s',
    },
  },
});

/** Tight limits, a classic queue, one tier: what the other shapes do not have. */
const MIXED = declareTopology({
  exchange: 'mixed',
  kinds: {
    tight: { key: 'job.tight', queue: 'tight', tiers: ['2s', '3s'], maxLength: 1, crashLimit: 3 },
    old: {
      key: 'job.old',
      queue: 'old',
      tiers: ['1h'],
      messageTtl: '1h',
      queueType: 'classic',
      unsafe: ['classic', 'drop-head'],
    },
  },
});

/** Exchanges and queues have names of their own on a broker, so the same word may be both. */
const SHARED_NAME = declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'mail', tiers: ['1s', '2s'] } },
});

const SHAPES: readonly (readonly [name: string, declaration: Declaration, pathCount: number])[] = [
  ['default', DEFAULT, 14],
  ['assignment', ASSIGNMENT, 15],
  ['native', NATIVE, 12],
  ['two kinds, tight and classic', MIXED, 13 + 11],
  ['exchange and queue of one name', SHARED_NAME, 13],
];

const { hasNativeRetry } = await brokerFacts();

for (const [name, declaration, pathCount] of SHAPES.filter(
  ([shape]) => shape !== 'native' || hasNativeRetry,
))
  test(`${name}: every path is as planned, and the virtual hosts are deleted`, async () => {
    const report = await runVerify(declaration);
    assert.deepEqual(differencesOf(report), []);
    assert.deepEqual(report.leftMessages, []);
    assert.equal(report.isAsPlanned, true);
    assert.equal(report.paths.length, pathCount, report.paths.map(({ path }) => path).join());
    assert.deepEqual(report.keptVhosts, []);
    assert.ok(report.scaling.some((line) => line.includes('tiers')));
  });

if (!hasNativeRetry)
  test('native: refused on a broker without delayed retry, before any virtual host is created', async () => {
    await assert.rejects(
      verifyTopology({ ...broker(), declaration: NATIVE }),
      /NATIVE_UNSUPPORTED/,
    );
  });

test('one kind only: the other is declared, but not probed', async () => {
  const report = await runVerify(MIXED, { kind: 'old' });
  assert.deepEqual([...new Set(report.paths.map(({ kind }) => kind))], ['old']);
  assert.equal(report.isAsPlanned, true, differencesOf(report).join());
});

test('real time: the waits are as declared; progress names the awaited paths', async () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['1500ms'] } },
  });
  const progress: VerifyProgress[] = [];
  const report = await runVerify(declaration, {
    isRealTime: true,
    onProgress: (state) => progress.push(state),
  });
  assert.equal(report.isAsPlanned, true, differencesOf(report).join());
  const last = report.paths.find(({ path }) => path === 'rejected each time');
  assert.ok(last!.observedMs >= 1_498 && last!.expectedMs === 1_500, String(last?.observedMs));
  assert.deepEqual(report.scaling, ['one: maxLength 10000 becomes 3 (overflow)']);
  const [first] = progress;
  assert.ok(
    first!.finishedCount > 0 && first!.finishedCount < first!.probeCount,
    JSON.stringify(first),
  );
  assert.ok(first!.awaitedPaths.includes('rejected once, then done'), JSON.stringify(first));
});

test('messages that fill a queue expire while other paths are awaited: no difference', async () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: {
        key: 'job.one',
        queue: 'one',
        tiers: ['11s'],
        maxLength: 100,
        messageTtl: '10s',
        unsafe: ['drop-head'],
      },
    },
  });
  const report = await runVerify(declaration, { isRealTime: true });
  assert.deepEqual(differencesOf(report), []);
});

test('after an error and after an abort no virtual host is left', async () => {
  const failure = new Error('on purpose');
  const fail = () => {
    throw failure;
  };
  await assert.rejects(runVerify(DEFAULT, { onAsserted: fail }), failure);

  const controller = new AbortController();
  const isRealTime = true;
  const onProgress = () => {
    controller.abort();
  };
  await assert.rejects(runVerify(DEFAULT, { isRealTime, onProgress, signal: controller.signal }), {
    name: 'AbortError',
  });
});

test('a lost connection ends the verification with an error, and no virtual host is left', async (t) => {
  const proxy = await openProxy(t, broker().amqpUrl);
  const isRealTime = true;
  const onProgress = () => {
    proxy.cut();
  };
  await assert.rejects(
    runVerify(DEFAULT, { amqpUrl: proxy.url, isRealTime, onProgress }),
    (error: Error) => {
      assert.match(String(error.cause), /the connection to the broker was lost/);
      return true;
    },
  );
});

test('without a broker, and without the right to create a virtual host, the error says so', async (t) => {
  const run = (options: object) =>
    verifyTopology({ declaration: DEFAULT, ...broker(), ...options });
  const nowhere = { managementUrl: 'http://127.0.0.1:1' };
  await assert.rejects(run(nowhere), /management API at 127\.0\.0\.1:1 did not answer/);
  await assert.rejects(run({ amqpUrl: 'amqp://127.0.0.1:1' }), /AMQP_UNREACHABLE/);

  const user = `user-${randomUUID()}`;
  const path = `/api/users/${user}`;
  t.after(() => askManagement({ method: 'DELETE', path }));
  await askManagement({ method: 'PUT', path, body: { password: 'secret', tags: 'policymaker' } });
  const url = new URL(broker().managementUrl);
  Object.assign(url, { username: user, password: 'secret' });
  await assert.rejects(run({ managementUrl: url.href }), /VHOST_REFUSED[^]*administrator tag/);
});
