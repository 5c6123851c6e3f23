/** What a failed statement means, decided in one place. Pure: it looks at names, codes and messages alone. */

/**
 * - `duplicate`: a unique key is taken; for an insert that may be repeated this is success.
 * - `contention`: another statement was in the way (deadlock, write conflict); the same statement succeeds when repeated.
 * - `timeout`: the server ended the statement at its time limit, because it was blocked or too slow.
 * - `network`: the connection ended under the statement, whose effect is therefore unknown.
 * - `outage`: the database cannot be reached, or cannot do any statement at the moment.
 * - `refused`: the statement itself is at fault (a document that is too large, a defect of ours); repeating it is useless.
 */
export type StoreFailure =
  | 'duplicate'
  | 'contention'
  | 'timeout'
  | 'network'
  | 'outage'
  | 'refused';

const DUPLICATE_KEY = 11_000;
const MAX_TIME_EXPIRED = 50;

/**
 * WriteConflict, LockTimeout and LockBusy of MongoDB; the last one is what DocumentDB puts into `writeErrors` for a
 * deadlock that PostgreSQL detected inside a bulk write (measured).
 */
const CONTENTION_CODES: ReadonlySet<unknown> = new Set([112, 24, 46, 16_908_292]);
const CONTENTION_MESSAGE =
  /deadlock detected|could not serialize access|lock timeout|could not obtain lock/i;

/**
 * Host unreachable, authentication and rights, shutdown, changes of the primary, write concern that is not reached:
 * the names are in MongoDB's `error_codes.yml`.
 */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 8, 13, 18, 64, 89, 91, 133, 189, 202, 262, 317, 358, 9_001, 10_058, 10_107, 11_600, 11_602,
  13_435, 13_436, 14_031,
]);

/**
 * The native database reports an absent, starting, full or ending PostgreSQL as an internal error (code 1), so only the
 * message tells it from a statement that is at fault. The texts are those of PostgreSQL, of its Go driver and of Go's
 * net package.
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

/** What the driver's errors carry; nothing of it is sure, since anything can be thrown. */
interface DriverError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly writeErrors?: unknown;
  readonly errorLabelSet?: unknown;
  /** What a bulk write was ended by: the driver's own error where no server answered, else the server's answer. */
  readonly errorResponse?: unknown;
}

/** @returns what a thrown value means for the statement that threw it. */
export function storeFailureOf(thrown: unknown): StoreFailure {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as DriverError;
  // `insertMany` is a bulk write to the driver: it hides a lost connection behind an error with a name of its own.
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
  const isDuplicate = ({ code }: DriverError) => code === DUPLICATE_KEY;
  if (writeErrors.length > 0 ? writeErrors.every(isDuplicate) : isDuplicate(error))
    return 'duplicate';
  return 'refused';
}

/** @returns the places in the batch whose key was taken; empty where the error names none. */
export function duplicateIndexes(thrown: unknown): number[] {
  return writeErrorsOf(thrown as DriverError).flatMap(({ code, index }) =>
    code === DUPLICATE_KEY && typeof index === 'number' ? [index] : [],
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

function isOutage({ code, message }: DriverError): boolean {
  if (OUTAGE_CODES.has(code)) return true;
  return code === 1 && typeof message === 'string' && OUTAGE_MESSAGE.test(message);
}
