/**
 * Goal: while a memory alarm blocks publishers, nothing is sent twice, and handlers go on. Method: a broker of this file's own,
 * whose limit of memory is set below what it uses.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { createDeadLetterWorker, createWorker, reject, replay } from '@fit/topology';
import { MAIL } from '../connect/deadMail.ts';
import { openConnected } from '../support/openConnected.ts';
import { useOwnBroker } from './ownBroker.ts';

/** Longer than the ten seconds after which a missing confirm counts as unknown while no alarm blocks. */
const PAST_CONFIRM_MS = 11_000;

const broker = useOwnBroker();

async function setAlarm(isOn: boolean): Promise<void> {
  const limit = isOn ? ['absolute', '20MiB'] : ['0.9'];
  await broker.stack.rabbitmqctl(['set_vm_memory_high_watermark', ...limit]);
}

async function open(t: TestContext) {
  const opened = await openConnected(t, MAIL);
  const { connection, events } = opened;
  const expectBlocked = async () => {
    await eventually(() => connection.isBlocked, { describe: () => JSON.stringify(events) });
  };
  return { ...opened, expectBlocked, on: { ...opened.on, queue: 'outbox' } as const };
}

test('an alarm that outlasts the time of a confirm makes no copy of a replay or of a dead letter, and notes hold up no handler', async (t) => {
  const replays = await open(t);
  const mails = await open(t);
  const killer = await createWorker({ ...replays.on, handler: () => reject(new Error('no')) });
  await replays.publisher.publish('mail', { to: 'ann' }, { id: 'again' });
  await replays.expectReady('outbox.dead', 1);
  await killer.stop();
  const fatal = ['fatal0', 'fatal1', 'fatal2'];
  const spent = Array.from({ length: 30 }, (_, index) => `spent${index}`);
  for (const id of [...fatal, ...spent]) await mails.publisher.publish('mail', { to: id }, { id });

  await setAlarm(true);
  t.after(() => setAlarm(false));
  let replayCount = 0;
  await createDeadLetterWorker({
    ...replays.on,
    handler: () => {
      replayCount += 1;
      return replay();
    },
  });
  const rejected: string[] = [];
  const worker = await createWorker({
    ...mails.on,
    concurrency: 2,
    prefetch: 8,
    breaker: false,
    handler: ({ id }) => {
      if (!id.startsWith('fatal')) throw new Error('busy');
      rejected.push(id);
      return reject(new Error('no'));
    },
  });
  await replays.expectBlocked();
  const blockedAtMs = performance.now();
  // Those die by the broker's own hand, which no alarm stops.
  await mails.expectReady('outbox.dead', spent.length);
  await eventually(() => performance.now() - blockedAtMs > PAST_CONFIRM_MS, {
    deadlineMs: 2 * PAST_CONFIRM_MS,
    describe: () => 'the time of a confirm is not over',
  });
  assert.deepEqual([replayCount, rejected.sort(), worker.inFlight], [1, fatal, fatal.length]);

  await setAlarm(false);
  await replays.expectReady('outbox', 1);
  await mails.expectReady('outbox.dead', spent.length + fatal.length);
  await eventually(() => worker.inFlight === 0, { describe: () => `${worker.inFlight} in flight` });
  assert.deepEqual([replayCount, rejected.sort()], [1, fatal]);
  assert.deepEqual([await replays.readyIn('outbox'), await replays.readyIn('outbox.dead')], [1, 0]);
});

test('a stop during an alarm gives a fatal message back, and its copy is never sent', async (t) => {
  const { publisher, on, expectReady, expectBlocked, readyIn } = await open(t);
  const isBlocked = Promise.withResolvers<undefined>();
  let rejectedCount = 0;
  const worker = await createWorker({
    ...on,
    concurrency: 1,
    prefetch: 1,
    handler: async () => {
      await isBlocked.promise;
      rejectedCount += 1;
      return reject(new Error('no'));
    },
  });
  await publisher.publish('mail', { to: 'ann' }, { id: 'fatal' });
  await setAlarm(true);
  t.after(() => setAlarm(false));
  // The broker tells a connection of the alarm when it publishes; this message is read after the alarm.
  const late = publisher.publish('mail', { to: 'bob' }, { id: 'late', timeout: '1m' });
  await expectBlocked();
  isBlocked.resolve(undefined);
  await eventually(() => rejectedCount === 1, { describe: () => `${rejectedCount} rejected` });
  assert.deepEqual(await worker.stop({ deadline: '200ms' }), { finished: 0, returned: 1 });
  await setAlarm(false);
  await late;
  await expectReady('outbox', 2);
  assert.equal(await readyIn('outbox.dead'), 0);
});
