/** Goal: every form of connection string names its database. Method: lazy connections without a statement, so none is opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore, storeOf } from '@fit/jobs/store';
import { Db, MongoClient } from 'mongodb';

const CASES: readonly (readonly [url: string, database: string])[] = [
  ['mongodb://127.0.0.1:27017/members', 'members'],
  ['mongodb://127.0.0.1:27017', 'fit'],
  ['mongodb://127.0.0.1:27017/?retryWrites=false', 'fit'],
  ['mongodb://a:1,b:2/members?replicaSet=rs0', 'members'],
  ['mongodb://user:p%40ss@a,b,c/f%C3%BCnf?replicaSet=rs0', 'fünf'],
];
for (const [url, database] of CASES)
  test(`${url} means the database ${database}`, async () => {
    const store = connectStore(url);
    try {
      assert.equal(store.database.name, database);
    } finally {
      await store.close();
    }
  });

test('a read preference of the connection string or of the caller does not apply', (t) => {
  const url =
    'mongodb://a:1,b:2/members?replicaSet=rs0&readPreference=secondary&readPreferenceTags=dc:1';
  const { mock } = t.mock.method(Db.prototype, 'collection');
  const store = connectStore(url);
  const client = new MongoClient(url);
  t.after(async () => {
    await store.close();
    await client.close();
  });
  store.database.collection('own');
  storeOf(client.db()).collection('given');
  const modes = mock.calls.map(({ result }) => result!.readPreference?.mode);
  assert.deepEqual(modes, ['primary', 'primary']);
});
