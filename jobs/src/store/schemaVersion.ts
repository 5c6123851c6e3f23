/** The version of the database's schema: collections, fields and their meaning. Every process checks it before it works. */
import { setTimeout as delay } from 'node:timers/promises';
import type { StoreDatabase } from './connectStore.ts';
import { StoreUnavailable } from './statement.ts';

/** Version of this release. Raise it with every change that makes old data unusable for new code, or new data for old code. */
export const SCHEMA_VERSION = 3;

/** The collection that holds one document with the version. */
const SCHEMA_COLLECTION = 'schema';
/** The collections of jobs. Without a version they say that another release wrote them. */
export const COLLECTION_NAMES = [
  'batches',
  'cancellations',
  'clock',
  'deadLetters',
  'jobs',
  'keys',
  'leases',
  'results',
  'runs',
  SCHEMA_COLLECTION,
  'workers',
] as const;
/** A collection that jobs use. */
export type CollectionName = (typeof COLLECTION_NAMES)[number];

export function isCollectionName(name: string): name is CollectionName {
  return (COLLECTION_NAMES as readonly string[]).includes(name);
}

const SCHEMA_ID = 'schema';

interface SchemaDocument {
  readonly _id: string;
  readonly version: number;
}

/** The database belongs to another release; the process must not start, because it would misread the data. */
export class SchemaMismatch extends Error {
  override readonly name = 'SchemaMismatch';

  /** @param found what the database has, as a phrase such as 'schema version 2'. */
  constructor(databaseName: string, found: string, neededVersion: number) {
    super(
      `the database '${databaseName}' has ${found}, and this release needs schema version ${neededVersion}. ` +
        'Start the release that wrote the data, or delete the data',
    );
  }
}

/**
 * Writes the version into an empty database; on any other it checks the version. Safe to call from several processes at once.
 * @param version the version that this release needs; default `SCHEMA_VERSION`.
 * @throws SchemaMismatch where the database has another version, or collections without a version.
 * @throws StoreUnavailable, StatementRefused
 */
export async function requireSchema(
  database: StoreDatabase,
  version = SCHEMA_VERSION,
): Promise<void> {
  const schema = database.collection<SchemaDocument>(SCHEMA_COLLECTION);
  let found = await schema.findOne(SCHEMA_ID);
  if (found === undefined) {
    // Others may have collections whose names begin with the same prefix.
    const names = (await database.collectionNames()).filter(
      (name) => name !== SCHEMA_COLLECTION && isCollectionName(name),
    );
    // Another process may have written the version and its collections between the two reads, so the version is read again.
    found = await schema.findOne(SCHEMA_ID);
    if (found === undefined && names.length > 0)
      throw new SchemaMismatch(
        database.name,
        `collections without a schema version (${names.sort().slice(0, 5).join(', ')})`,
        version,
      );
    found ??= await schema.upsert(SCHEMA_ID, { $setOnInsert: { version } });
  }
  checkVersion(database, found, version);
}

function checkVersion(
  database: StoreDatabase,
  found: SchemaDocument | undefined,
  version: number,
): void {
  if (found?.version === version) return;
  const phrase = found === undefined ? 'no schema version' : `schema version ${found.version}`;
  throw new SchemaMismatch(database.name, phrase, version);
}

/**
 * Checks the version and writes nothing, for commands that must not create a database under a mistyped name.
 * @throws SchemaMismatch, also where the database is empty; StoreUnavailable, StatementRefused
 */
export async function requireExistingSchema(database: StoreDatabase): Promise<void> {
  const found = await database.collection<SchemaDocument>(SCHEMA_COLLECTION).findOne(SCHEMA_ID);
  checkVersion(database, found, SCHEMA_VERSION);
}

const RETRY_MS = 1_000;

/** As `requireSchema`, but waits while the database does not answer, so that an outage does not end a process that starts. */
export async function awaitSchema(
  database: StoreDatabase,
  options: {
    /** Ends the waiting with the reason of the signal. */
    readonly signal: AbortSignal;
    /** Called once, at the first failure. */
    readonly onOutage: (error: StoreUnavailable) => void;
  },
): Promise<void> {
  let isReported = false;
  for (;;) {
    try {
      await requireSchema(database);
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (!isReported) options.onOutage(error);
      isReported = true;
    }
    await delay(RETRY_MS, undefined, { signal: options.signal });
  }
}
