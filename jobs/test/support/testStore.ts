/** A database of its own on the real store, dropped when the test ends. */

import { connectStore, JobStore, LeaseStore, LetterStore } from '@fit/jobs/store';
import { type Teardown, testDatabaseUrl } from '@fit/stack/testing';
import type { Collection, Db } from 'mongodb';

export interface TestStore {
  readonly database: Db;
  readonly jobs: JobStore;
  readonly leases: LeaseStore;
  readonly letters: LetterStore;
  /** As it lies in the database, for what the stores do not return. */
  raw(name: string): Collection<{ _id: string } & Record<string, unknown>>;
}

export async function testStore(teardown: Teardown): Promise<TestStore> {
  const connection = connectStore(testDatabaseUrl());
  const { database } = connection;
  teardown.after(async () => {
    await database.dropDatabase();
    await connection.close();
  });
  const jobs = new JobStore(database);
  await jobs.ensureIndexes();
  return {
    database,
    jobs,
    leases: new LeaseStore(database),
    letters: new LetterStore(database),
    raw: (name) => database.collection(name),
  };
}
