/** One connection to the MongoDB-compatible store, with a bound on every wait. */
import { type Db, MongoClient } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { DocumentCollection, type Identified } from './documentCollection.ts';
import {
  SOCKET_TIMEOUT_MS,
  STATEMENT_LIMIT_MS,
  STATEMENT_LIMITS,
  type StatementLimits,
} from './statement.ts';
import { type PoolCounts, type StoreEvent, watchCommands, watchPool } from './watchClient.ts';

/** A database whose collections are reached through `DocumentCollection` alone. */
export interface StoreDatabase {
  readonly name: string;
  collection<Stored extends Identified>(name: string): DocumentCollection<Stored>;
  /** @returns the same database over the same connections, with other limits of each statement. */
  withLimits(limits: StatementLimits): StoreDatabase;
}

export interface StoreConnection {
  readonly database: StoreDatabase;
  /** @returns whether the store answers a ping within two seconds. */
  readonly isUp: () => Promise<boolean>;
  readonly pool: PoolCounts;
  /** From now on this listener is told what befalls the connections. */
  watch(listener: (event: StoreEvent) => void): void;
  close(): Promise<void>;
}

const DATABASE = 'fit';
const PING_MS = 2_000;

/**
 * Connects lazily: the first operation waits for the server, at most five seconds, and throws.
 * @param url mongodb://host:port/database; without a path the database is `fit`.
 * @param limits of each statement; below the socket timeout of ten seconds.
 */
export function connectStore(
  url: string,
  limits: StatementLimits = STATEMENT_LIMITS,
): StoreConnection {
  const client = new MongoClient(url, {
    // Defaults of 0 mean no bound: a half-open server would hang an insert for ever (measured).
    socketTimeoutMS: SOCKET_TIMEOUT_MS,
    waitQueueTimeoutMS: 5_000,
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 2_000,
    maxPoolSize: 10,
    // Without the journal a hard stop may lose the last 100 ms of acknowledged writes (MongoDB manual).
    // A statement's own limit does not hold while a majority is missing.
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: STATEMENT_LIMIT_MS },
    ignoreUndefined: true,
    monitorCommands: true,
  });
  // Node's URL refuses the list of hosts of a replica set; this parser is the driver's.
  const named = decodeURIComponent(new ConnectionString(url).pathname.slice(1));
  const database = client.db(named === '' ? DATABASE : named);
  return {
    database: databaseOf(database, limits),
    pool: watchPool(client),
    watch: (listener) => {
      watchCommands(client, listener);
    },
    isUp: async () => {
      try {
        await database.command({ ping: 1 }, { signal: AbortSignal.timeout(PING_MS) });
        return true;
      } catch {
        return false;
      }
    },
    close: () => client.close(),
  };
}

function databaseOf(database: Db, limits: StatementLimits): StoreDatabase {
  return {
    name: database.databaseName,
    collection: <Stored extends Identified>(name: string) =>
      new DocumentCollection(database.collection<Stored>(name), limits),
    withLimits: (other) => databaseOf(database, other),
  };
}
