/** One connection to the MongoDB-compatible store, with a bound on every wait. */
import { type Db, MongoClient } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import pTimeout from 'p-timeout';
import { DocumentCollection, type Identified } from './documentCollection.ts';
import {
  runStatement,
  SOCKET_TIMEOUT_MS,
  STATEMENT_LIMIT_MS,
  STATEMENT_LIMITS,
  type StatementLimits,
  type StatementRunner,
} from './statement.ts';
import { storeFailureOf } from './storeFailure.ts';

/** A database whose collections are reached through `DocumentCollection` alone. */
export interface StoreDatabase {
  readonly name: string;
  /** @throws StoreUnavailable, StatementRefused */
  collectionNames(): Promise<string[]>;
  collection<Stored extends Identified>(name: string): DocumentCollection<Stored>;
  /** @returns the same database over the same connections, with other limits of each statement. */
  withLimits(limits: StatementLimits): StoreDatabase;
  /**
   * @param names other names of some collections, which stand in place of prefix and name.
   * @returns the same database, in which the names of all collections begin with this text; it knows no others.
   */
  withPrefix(prefix: string, names?: Readonly<Record<string, string>>): StoreDatabase;
}

export interface StoreConnection {
  readonly database: StoreDatabase;
  /** @returns whether the store answers a ping within two seconds. */
  readonly isUp: () => Promise<boolean>;
  readonly pool: PoolCounts;
  /** The listener receives every later event of the connections. */
  watch(listener: (event: StoreEvent) => void): void;
  close(): Promise<void>;
}

/**
 * Without the journal a crash may lose the last 100 ms of acknowledged writes (MongoDB manual). `wtimeoutMS` is needed, because
 * `maxTimeMS` does not limit the wait for a majority.
 */
const WRITE_CONCERN = { w: 'majority', journal: true, wtimeoutMS: STATEMENT_LIMIT_MS } as const;
/**
 * Every read is followed by a write that relies on it: a stale copy would show a batch without its jobs, which then counts as
 * published. So a read preference of the connection string or of the caller's client does not apply.
 */
const READ_PREFERENCE = 'primary';
const DATABASE = 'fit';
const PING_MS = 2_000;

/**
 * Connects lazily: the first operation waits for the server for at most five seconds, and then throws.
 * @param url mongodb://host:port/database; without a path the database is `fit`.
 * @param limits limits of each statement; they must be below the socket timeout of ten seconds.
 */
export function connectStore(
  url: string,
  limits: StatementLimits = STATEMENT_LIMITS,
): StoreConnection {
  const client = new MongoClient(url, {
    // The default of 0 means no limit: a half-open server would block an insert for ever (measured).
    socketTimeoutMS: SOCKET_TIMEOUT_MS,
    waitQueueTimeoutMS: 5_000,
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 2_000,
    maxPoolSize: 10,
    writeConcern: WRITE_CONCERN,
    ignoreUndefined: true,
  });
  // The driver's parser accepts the host list of a replica set, which Node's URL refuses.
  const named = decodeURIComponent(new ConnectionString(url).pathname.slice(1));
  const database = client.db(named === '' ? DATABASE : named, { readPreference: READ_PREFERENCE });
  const listeners: ((event: StoreEvent) => void)[] = [];
  client.on('connectionCheckOutFailed', () => {
    for (const listener of listeners) listener({ type: 'checkoutFailed' });
  });
  const timed = timerOf((event) => {
    for (const listener of listeners) listener(event);
  });
  let needsConnect = true;
  // A driver whose first connection failed stays closed (mongodb 7.9: "Topology is closed"), and only `connect` opens it again.
  const connect = async () => {
    if (!needsConnect) return;
    await client.connect();
    needsConnect = false;
  };
  return {
    database: databaseOf(database, { limits, connect, timed, prefix: '', names: {} }),
    pool: watchPool(client),
    watch: (listener) => {
      listeners.push(listener);
    },
    isUp: async () => {
      try {
        const signal = AbortSignal.timeout(PING_MS);
        // The connect takes no signal, and its own limit is longer.
        await pTimeout(connect(), { milliseconds: PING_MS });
        await timed('ping', () => database.command({ ping: 1 }, { signal }));
        return true;
      } catch {
        return false;
      }
    },
    close: () => {
      needsConnect = false;
      return client.close();
    },
  };
}

/** The part of the driver's `Db` that is used. */
export interface DriverDatabase {
  readonly databaseName: string;
  collection(name: string): unknown;
}

/**
 * Uses a database of a client that the caller has made, and that stays the caller's. Statements get the same write concern,
 * read preference and limits as with `connectStore`; that no connection hangs for ever is up to the client's own `socketTimeoutMS`.
 */
export function storeOf(database: DriverDatabase): StoreDatabase {
  return databaseOf(database as unknown as Db, {
    limits: STATEMENT_LIMITS,
    connect: () => Promise.resolve(),
    timed: (_command, statement) => statement(),
    prefix: '',
    names: {},
  });
}

interface DatabaseParts {
  readonly limits: StatementLimits;
  readonly connect: () => Promise<void>;
  readonly timed: Timer;
  /** Names of collections begin with it. */
  readonly prefix: string;
  /** Collections that have another name. */
  readonly names: Readonly<Record<string, string>>;
}

function databaseOf(database: Db, parts: DatabaseParts): StoreDatabase {
  const { limits, connect, timed, prefix, names } = parts;
  const known = new Map(Object.entries(names).map(([name, other]) => [other, name]));
  const run: StatementRunner = (command, statement) =>
    runStatement(async (options) => {
      await connect();
      return await timed(command, () => statement(options));
    }, limits);
  return {
    name: database.databaseName,
    collectionNames: async () => {
      const found = await run('listCollections', (options) =>
        database.listCollections({}, { ...options, nameOnly: true }).toArray(),
      );
      return found.flatMap(({ name }) => {
        const own = known.get(name);
        if (own !== undefined) return [own];
        const bare = name.slice(prefix.length);
        return name.startsWith(prefix) && !Object.hasOwn(names, bare) ? [bare] : [];
      });
    },
    collection: <Stored extends Identified>(name: string) =>
      new DocumentCollection(
        database.collection<Stored>(names[name] ?? prefix + name, {
          writeConcern: WRITE_CONCERN,
          readPreference: READ_PREFERENCE,
          ignoreUndefined: true,
        }),
        run,
        connect,
      ),
    withLimits: (other) => databaseOf(database, { ...parts, limits: other }),
    withPrefix: (other, otherNames = {}) =>
      databaseOf(database, { ...parts, prefix: other, names: otherNames }),
  };
}

/** An event of the connections, for metrics. */
export type StoreEvent =
  /** One try of a statement ended; the time includes the wait for a connection. A document that existed is no failure. */
  | {
      readonly type: 'command';
      readonly command: string;
      readonly outcome: 'ok' | 'failed';
      readonly durationMs: number;
    }
  /** An operation got no connection: the pool was exhausted for too long, or the server does not answer. */
  | { readonly type: 'checkoutFailed' };

/** Connections to the store at this moment, by the driver's events. */
export interface PoolCounts {
  readonly inUseCount: number;
  readonly idleCount: number;
  /** Operations that wait for a connection. */
  readonly pendingCount: number;
}

/** Counts connections by the driver's events, so it must be called before the first operation. */
function watchPool(client: MongoClient): PoolCounts {
  const counts = { open: 0, inUse: 0, pending: 0 };
  client.on('connectionCreated', () => (counts.open += 1));
  client.on('connectionClosed', () => (counts.open -= 1));
  client.on('connectionCheckOutStarted', () => (counts.pending += 1));
  client.on('connectionCheckOutFailed', () => (counts.pending -= 1));
  client.on('connectionCheckedOut', () => {
    counts.pending -= 1;
    counts.inUse += 1;
  });
  client.on('connectionCheckedIn', () => (counts.inUse -= 1));
  return {
    get inUseCount() {
      return counts.inUse;
    },
    get idleCount() {
      return Math.max(0, counts.open - counts.inUse);
    },
    get pendingCount() {
      return counts.pending;
    },
  };
}

type Timer = <Answer>(command: string, statement: () => Promise<Answer>) => Promise<Answer>;

/**
 * @returns a function that reports how long a statement took. The events of the driver would cost more than the statement
 * does: for each of them the driver decodes the whole answer once more (measured: 5 % of the relay's time).
 */
function timerOf(report: (event: StoreEvent) => void): Timer {
  return async (command, statement) => {
    const startedAtMs = performance.now();
    const end = (outcome: 'ok' | 'failed') => {
      report({ type: 'command', command, outcome, durationMs: performance.now() - startedAtMs });
    };
    try {
      const answer = await statement();
      end('ok');
      return answer;
    } catch (thrown) {
      end(storeFailureOf(thrown) === 'duplicate' ? 'ok' : 'failed');
      throw thrown;
    }
  };
}
