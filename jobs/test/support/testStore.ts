/** A new database on the real server, dropped when the test ends. */

import type { BatchRecord } from '@fit/jobs';
import {
  connectStore,
  ensureIndexes,
  type JobStores,
  openJobStores,
  type StoreDatabase,
} from '@fit/jobs/store';
import { type Teardown, testDatabaseUrl } from '@fit/stack/testing';
import { type Collection, type Db, MongoClient } from 'mongodb';

export interface TestStore extends JobStores {
  readonly url: string;
  readonly database: StoreDatabase;
  /** The same database through the driver, for what the stores cannot ask. */
  readonly db: Db;
  /** @returns the batches of a run or an operation, in the order of their ids. */
  batchesOf(runId: string): Promise<BatchRecord[]>;
  /** A collection through the driver, for fields that the stores do not return. */
  raw(name: string): Collection<{ _id: string } & Record<string, unknown>>;
}

export async function testStore(teardown: Teardown): Promise<TestStore> {
  const url = testDatabaseUrl();
  const connection = connectStore(url);
  const { database } = connection;
  const client = new MongoClient(url);
  teardown.after(async () => {
    await client.db().dropDatabase();
    await client.close();
    await connection.close();
  });
  const stores = await openJobStores(database);
  teardown.after(() => {
    stores.clock.stop();
    return Promise.resolve();
  });
  await ensureIndexes(stores);
  return {
    ...stores,
    url,
    database,
    db: client.db(),
    batchesOf: (runId) =>
      client.db().collection<BatchRecord>('batches').find({ runId }).sort({ _id: 1 }).toArray(),
    raw: (name) => client.db().collection(name),
  };
}
