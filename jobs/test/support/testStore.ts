/** A new database on the real server, dropped when the test ends. */

import {
  connectStore,
  DeadLetterStore,
  JobStore,
  LeaseStore,
  type StoreDatabase,
} from '@fit/jobs/store';
import { type Teardown, testDatabaseUrl } from '@fit/stack/testing';
import { type Collection, MongoClient } from 'mongodb';

export interface TestStore {
  readonly url: string;
  readonly database: StoreDatabase;
  readonly jobs: JobStore;
  readonly leases: LeaseStore;
  readonly deadLetters: DeadLetterStore;
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
  const jobs = new JobStore(database);
  await jobs.ensureIndexes();
  return {
    url,
    database,
    jobs,
    leases: new LeaseStore(database),
    deadLetters: new DeadLetterStore(database),
    raw: (name) => client.db().collection(name),
  };
}
