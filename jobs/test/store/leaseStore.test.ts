/** Goal: a lease has one holder at a time, by the database's clock. Method: several owners on the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore, LeaseStore } from '@fit/jobs/store';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { testStore } from '../support/testStore.ts';

test('one of two owners holds, renews and releases the lease', async (t) => {
  const { leases } = await testStore(t);
  assert.equal(await leases.hold('relay', 'a', 60_000), true);
  assert.equal(await leases.hold('relay', 'b', 60_000), false);
  assert.equal(await leases.hold('relay', 'a', 60_000), true);
  assert.equal(await leases.hold('other', 'b', 60_000), true);
  await leases.release('relay', 'b');
  assert.equal(await leases.hold('relay', 'b', 60_000), false);
  await leases.release('relay', 'a');
  assert.equal(await leases.hold('relay', 'b', 60_000), true);
  assert.equal(await leases.hold('relay', 'a', 60_000), false);
});

test('an expired lease goes to the other owner, and the first has lost it', async (t) => {
  const { leases } = await testStore(t);
  const startedAt = Date.now();
  assert.equal(await leases.hold('relay', 'a', 300), true);
  await eventually(async () => await leases.hold('relay', 'b', 60_000), {
    describe: () => 'the lease did not expire',
  });
  assert.ok(Date.now() - startedAt >= 290);
  assert.equal(await leases.hold('relay', 'a', 60_000), false);
});

test('the end of a lease depends on the clock of the database, not on that of the process', async (t) => {
  const store = await testStore(t);
  const { leases } = store;
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 });
  assert.equal(await leases.hold('relay', 'a', 60_000), true);
  assert.equal(await leases.hold('relay', 'b', 60_000), false);
  t.mock.timers.reset();
  const lease = await store.raw('leases').findOne({ _id: 'relay' });
  const leftMs = (lease?.['expiresAt'] as Date).getTime() - Date.now();
  assert.ok(leftMs > 0 && leftMs <= 60_000, `${leftMs} ms left`);
});

test('exactly one of ten concurrent owners gets a free lease', async (t) => {
  const { leases } = await testStore(t);
  const owners = Array.from({ length: 10 }, (_, index) => `owner-${index}`);
  const held = await Promise.all(owners.map((owner) => leases.hold('relay', owner, 60_000)));
  assert.equal(held.filter(Boolean).length, 1);
});

test('a release that loses its connection is not repeated', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const connection = connectStore(proxy.url);
  t.after(() => connection.close());
  const leases = new LeaseStore(connection.database);
  assert.equal(await leases.hold('relay', 'a', 60_000), true);
  proxy.holdReplies();
  const released = leases.release('relay', 'a');
  released.catch(() => undefined);
  await eventually(() => connection.pool.inUseCount === 1, {
    describe: () => `no statement is under way: ${JSON.stringify(connection.pool)}`,
  });
  proxy.cut();
  await assert.rejects(released, { name: 'StoreUnavailable', reason: 'outage' });
});
