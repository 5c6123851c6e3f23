/** Goal: every form of connection string names its database. Method: lazy connections without a statement, so none is opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore } from '@fit/jobs/store';

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
