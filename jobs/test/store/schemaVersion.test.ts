/** Goal: a process refuses data of another schema version. Method: databases of a real server, empty and with data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore } from '@fit/jobs/store';
import { type Teardown, testDatabaseUrl } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { requireSchema, SCHEMA_VERSION, SchemaMismatch } from '../../src/store/schemaVersion.ts';

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
    assert.match(error.message, /npm start -- --fresh.*compose\.sh down -v/);
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
