/** Goal: a process refuses data of another schema version. Method: databases of a real server, empty and with data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore } from '@fit/jobs/store';
import { type Teardown, testDatabaseUrl } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import {
  awaitSchema,
  requireExistingSchema,
  requireSchema,
  SCHEMA_VERSION,
  SchemaMismatch,
} from '../../src/store/schemaVersion.ts';

/** @returns an empty database, dropped when the test ends. */
function emptyDatabase(teardown: Teardown) {
  const url = testDatabaseUrl();
  const connection = connectStore(url);
  const client = new MongoClient(url);
  teardown.after(async () => {
    await client.db().dropDatabase();
    await client.close();
    await connection.close();
  });
  return {
    database: connection.database,
    raw: (name: string) => client.db().collection<{ _id: string }>(name),
  };
}

test('an empty database gets the version, and accepts it again', async (t) => {
  const store = emptyDatabase(t);
  await requireSchema(store.database);
  await requireSchema(store.database);
  const documents = await store.raw('schema').find().toArray();
  assert.deepEqual(documents, [{ _id: 'schema', version: SCHEMA_VERSION }]);
});

test('processes that start at once on an empty database all pass', async (t) => {
  const store = emptyDatabase(t);
  await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      await requireSchema(store.database);
      await store.raw(`made-by-${index}`).insertOne({ _id: 'first' });
    }),
  );
});

test('another version is refused, and the error has both versions and the remedy', async (t) => {
  const store = emptyDatabase(t);
  await requireSchema(store.database, 7);
  await assert.rejects(requireSchema(store.database, 8), (error: Error) => {
    assert.ok(error instanceof SchemaMismatch);
    assert.match(error.message, /has schema version 7, and this release needs schema version 8/);
    assert.match(error.message, /Start the release that wrote the data, or delete the data/);
    return true;
  });
});

test('collections without a version are refused, and stay as they are', async (t) => {
  const store = emptyDatabase(t);
  await store.raw('jobs').insertOne({ _id: 'old' });
  await assert.rejects(
    requireSchema(store.database),
    /collections without a schema version \(jobs\)/,
  );
  assert.equal(await store.raw('schema').countDocuments(), 0);
});

test('collections of others, whose names may begin alike, are not those of another release', async (t) => {
  const store = emptyDatabase(t);
  await store.raw('shop_orders').insertOne({ _id: 'order' });
  await requireSchema(store.database.withPrefix('shop_eu_'));
  await store.raw('shop_eu_jobs').insertOne({ _id: 'job' });
  await requireSchema(store.database.withPrefix('shop_'));
});

test('a command that writes no version refuses an empty database, and leaves it empty', async (t) => {
  const store = emptyDatabase(t);
  await assert.rejects(requireExistingSchema(store.database), /has no schema version/);
  assert.equal(await store.raw('schema').countDocuments(), 0);
  await requireSchema(store.database);
  await requireExistingSchema(store.database);
});

test('a process that starts in an outage reports it once, and passes when the database answers', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const connection = connectStore(proxy.url);
  t.after(() => connection.close());
  proxy.holdReplies();
  const outage = Promise.withResolvers<Error>();
  const reported: Error[] = [];
  const passed = awaitSchema(connection.database, {
    signal: AbortSignal.timeout(60_000),
    onOutage: (error) => {
      reported.push(error);
      outage.resolve(error);
    },
  });
  await outage.promise;
  proxy.cut();
  await passed;
  assert.equal(reported.length, 1);
});
