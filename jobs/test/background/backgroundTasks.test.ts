/** Goal: background tasks that cannot start leave nothing open. Method: a broker whose exchange has another type, behind a proxy that counts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { startBackgroundTasks } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { eventually, testBroker } from '@fit/stack/testing';
import { createConnection } from '@fit/topology';
import { connect as connectBroker } from 'amqplib';
import { QUICK } from '../support/fakes.ts';
import { testStore } from '../support/testStore.ts';

test("tasks that fail half-way leave nothing open on the connection, which stays its owner's", async (t) => {
  const { amqpUrl, managementUrl } = await testBroker(t);
  const store = await testStore(t);
  const model = await connectBroker(amqpUrl);
  await (await model.createChannel()).assertExchange(QUICK.exchange, 'fanout');
  await model.close();
  const target = new URL(amqpUrl);
  let [openedCount, openCount] = [0, 0];
  const proxy = createServer((client) => {
    openedCount += 1;
    openCount += 1;
    const broker = connect(Number(target.port), target.hostname);
    client.pipe(broker).pipe(client);
    for (const socket of [client, broker]) socket.on('error', () => client.destroy());
    client.on('close', () => {
      openCount -= 1;
      broker.destroy();
    });
  }).listen(0, '127.0.0.1');
  t.after(() => proxy.close());
  await once(proxy, 'listening');
  target.port = String((proxy.address() as AddressInfo).port);
  const proxied = target.href;
  target.port = new URL(amqpUrl).port;
  const connection = await createConnection({ url: proxied, managementUrl, logger: false });
  t.after(() => connection.close());
  // The recorder finds that the exchange is another one.
  const starting = startBackgroundTasks({
    connection,
    declaration: QUICK,
    tasks: ['reconcile', 'deadLetters'],
    stores: store,
    countingRuns: countingRunStore(store.database, store),
    effects: {
      findStored: () => Promise.resolve(new Set()),
      idsOf: () => [],
      delete: () => Promise.resolve(0),
    },
    retentionPolicy: { jobDays: 1, effectDays: 1 },
    onEvent: () => undefined,
  });
  await assert.rejects(starting, { name: 'TopologyError' });
  assert.deepEqual([openedCount, openCount, connection.isUp], [2, 2, true]);
  await connection.close();
  await eventually(() => openCount === 0, { describe: () => `${openCount} are still open` });
});
