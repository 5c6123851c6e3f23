/** Classifies failed statements by the names, codes and messages of their errors. Pure. */

/**
 * - `duplicate`: a document with this unique key exists; for an insert that may be repeated this is a success.
 * - `contention`: another statement blocked this one (deadlock, write conflict); the same statement succeeds when repeated.
 * - `timeout`: the server ended the statement at its time limit, because it was blocked or too slow.
 * - `network`: the connection ended during the statement, so its effect is unknown.
 * - `outage`: the database cannot be reached, or cannot do any statement at the moment.
 * - `refused`: the statement itself is wrong (a document that is too large, a defect in this code); repeating it is useless.
 */
export type StoreFailure =
  | 'duplicate'
  | 'contention'
  | 'timeout'
  | 'network'
  | 'outage'
  | 'refused';

const DUPLICATE_KEY = 11_000;
/** The native database's unique indexes are exclusion constraints of PostgreSQL, whose error it passes on if two inserts meet. */
const DUPLICATE_MESSAGE = 'violates exclusion constraint';
const MAX_TIME_EXPIRED = 50;

/**
 * WriteConflict, LockTimeout and LockBusy of MongoDB; the last code is the one that DocumentDB puts into `writeErrors` for a
 * deadlock that PostgreSQL detected inside a bulk write (measured).
 */
const CONTENTION_CODES: ReadonlySet<unknown> = new Set([112, 24, 46, 16_908_292]);
const CONTENTION_MESSAGE =
  /deadlock detected|could not serialize access|lock timeout|could not obtain lock/i;

/**
 * Codes for an unreachable host, authentication and rights, shutdown, a change of the primary, and a write concern that is not
 * reached. Their names are in MongoDB's `error_codes.yml`.
 */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 8, 13, 18, 64, 89, 91, 133, 189, 202, 262, 317, 358, 9_001, 10_058, 10_107, 11_600, 11_602,
  13_435, 13_436, 14_031,
]);

/**
 * The native database reports a PostgreSQL that is absent, starting, full or stopping as an internal error (code 1), as it
 * does for a wrong statement, so only the message distinguishes them. The texts are those of PostgreSQL, of its Go driver and
 * of Go's net package.
 */
const OUTAGE_MESSAGE = new RegExp(
  [
    'failed to connect|connection refused|connection reset|broken pipe|unexpected EOF|closed pool',
    'conn(?:ection)?(?: is)? closed|closed the connection|terminating connection|i/o timeout|dial (?:tcp|unix)',
    'context (?:canceled|deadline exceeded)|shutting down|starting up|not yet accepting connections|recovery mode',
    'crash of another server process|too many clients|connection slots|out of (?:shared )?memory',
    'no space left|could not (?:extend|write|open|fsync|access) file|read-only transaction|password authentication',
  ].join('|'),
  'i',
);

const NETWORK_ERRORS: ReadonlySet<string> = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoPoolClearedError',
  'PoolClearedOnNetworkError',
  'PoolRequestedRetryError',
]);

const OUTAGE_ERRORS: ReadonlySet<string> = new Set([
  'MongoServerSelectionError',
  'MongoWaitQueueTimeoutError',
  'MongoTopologyClosedError',
  'MongoNotConnectedError',
  'MongoClientClosedError',
  'MongoServerClosedError',
  'MongoPoolClosedError',
  'MongoOperationTimeoutError',
]);

/** Fields of the driver's errors. Each is unknown, because any value can be thrown. */
interface DriverError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly writeErrors?: unknown;
  readonly errorLabelSet?: unknown;
  /** Why a bulk write failed: the driver's own error where no server answered, else the server's answer. */
  readonly errorResponse?: unknown;
}

/** @returns the kind of failure that a thrown value means. */
export function storeFailureOf(thrown: unknown): StoreFailure {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as DriverError;
  // The driver does `insertMany` as a bulk write, and wraps a lost connection into an error with another name.
  if (error.errorResponse instanceof Error) return storeFailureOf(error.errorResponse);
  if (typeof error.name === 'string') {
    if (NETWORK_ERRORS.has(error.name)) return 'network';
    if (OUTAGE_ERRORS.has(error.name)) return 'outage';
  }
  const parts = [error, ...writeErrorsOf(error)];
  if (parts.some(isContention)) return 'contention';
  if (parts.some(({ code }) => code === MAX_TIME_EXPIRED)) return 'timeout';
  if (parts.some(isOutage)) return 'outage';
  const writeErrors = writeErrorsOf(error);
  if (writeErrors.length > 0 ? writeErrors.every(isDuplicate) : isDuplicate(error))
    return 'duplicate';
  return 'refused';
}

/** @returns the positions in the batch of the documents whose key existed; empty where the error has none. */
export function duplicateIndexes(thrown: unknown): number[] {
  return writeErrorsOf(thrown as DriverError).flatMap((error) =>
    isDuplicate(error) && typeof error.index === 'number' ? [error.index] : [],
  );
}

function writeErrorsOf(error: DriverError): readonly (DriverError & { index?: unknown })[] {
  const { writeErrors } = error;
  return [writeErrors ?? []].flat();
}

function isContention({ code, message, errorLabelSet }: DriverError): boolean {
  if (CONTENTION_CODES.has(code)) return true;
  if (errorLabelSet instanceof Set && errorLabelSet.has('TransientTransactionError')) return true;
  return typeof message === 'string' && CONTENTION_MESSAGE.test(message);
}

function isDuplicate({ code, message }: DriverError): boolean {
  return (
    code === DUPLICATE_KEY || (typeof message === 'string' && message.includes(DUPLICATE_MESSAGE))
  );
}

function isOutage({ code, message }: DriverError): boolean {
  if (OUTAGE_CODES.has(code)) return true;
  return code === 1 && typeof message === 'string' && OUTAGE_MESSAGE.test(message);
}
