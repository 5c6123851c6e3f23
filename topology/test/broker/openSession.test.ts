/** Goal: a session comes back whenever it goes. Method: real connections, broken at the worst moments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import { openSession, type Session, type SessionEvent } from '@fit/topology/amqp';
import { modelOf } from '../../src/amqp/openConnection.ts';
import { openProxy } from '../support/openProxy.ts';

async function expectUp(session: Session): Promise<void> {
  await eventually(() => session.isUp, { describe: () => 'the session is down' });
}

test('a connection that ends during its setup is made again', async (t) => {
  const { amqpUrl: url } = await testBroker(t);
  const events: SessionEvent[] = [];
  let generation = 0;
  const session = await openSession({
    url,
    label: 'test session',
    onEvent: (event: SessionEvent) => events.push(event),
    setup: async (connection) => {
      generation += 1;
      if (generation === 1) await modelOf(connection).close();
    },
  });
  t.after(() => session.close());
  await eventually(() => generation === 2, { describe: () => `${generation} connections made` });
  await expectUp(session);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['connected', 'disconnected', 'connected'],
  );
});

test('a setup that fails is tried again, and what it throws is reported', async (t) => {
  const { amqpUrl: url } = await testBroker(t);
  const failures: string[] = [];
  const session = await openSession({
    url,
    label: 'test session',
    setup: async () => {
      await Promise.resolve();
      if (failures.length < 2) throw new Error('not yet');
    },
    onEvent: (event) => {
      if (event.type === 'connectFailed') failures.push(event.error.message);
    },
  });
  t.after(() => session.close());
  await expectUp(session);
  assert.deepEqual(failures, ['not yet', 'not yet']);
});

test('a setup that never succeeds is given up after the timeout, with its failure; none runs on a closed session', async (t) => {
  const { amqpUrl: url } = await testBroker(t);
  const session = await openSession({ url, label: 'test session', connectTimeoutMs: 2_000 });
  t.after(() => session.close());
  const failing = session.attach(() => Promise.reject(new Error('not today')));
  await assert.rejects(failing.opened, /SETUP_TIMEOUT .*not today/);
  await session.close();
  await assert.rejects(session.attach(() => Promise.resolve()).opened, /closed/);
});

test('a close whose connection is cut before its answer comes back', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const proxy = await openProxy(t, amqpUrl);
  const session = await openSession({
    url: proxy.url,
    label: 'test session',
    setup: () => Promise.resolve(),
  });
  proxy.holdReplies();
  let isClosed = false;
  void session.close().then(() => (isClosed = true));
  proxy.cut();
  await eventually(() => isClosed, { describe: () => 'the close is not answered' });
});

test('closed on purpose it stays closed', async (t) => {
  const { amqpUrl: url } = await testBroker(t);
  const events: string[] = [];
  const session = await openSession({
    url,
    label: 'test session',
    setup: async () => {
      await Promise.resolve();
    },
    onEvent: ({ type }) => events.push(type),
  });
  await session.close();
  await session.close();
  assert.deepEqual(events, ['connected']);
});
