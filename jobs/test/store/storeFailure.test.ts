/** Goal: every failure of a statement has one meaning. Method: a table of what the two databases and the driver report. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MongoBulkWriteError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import {
  duplicateIndexes,
  type StoreFailure,
  storeFailureOf,
} from '../../src/store/storeFailure.ts';

function serverError(code: number, message: string): MongoServerError {
  return new MongoServerError({ code, message });
}

function bulkError(
  codes: readonly number[],
  messages: readonly string[] = [],
): MongoBulkWriteError {
  const writeErrors = codes.map((code, index) => ({ code, index, errmsg: messages[index] ?? '' }));
  return Object.assign(
    new MongoBulkWriteError({ code: codes[0] ?? 0, message: 'bulk' }, {} as never),
    { writeErrors },
  );
}

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

const CASES: readonly (readonly [name: string, thrown: unknown, failure: StoreFailure])[] = [
  ['a taken key', serverError(11_000, 'E11000 duplicate key'), 'duplicate'],
  [
    'a taken key of the native database, met by two inserts at once',
    serverError(1, 'conflicting key value violates exclusion constraint "documents_rum_index_1"'),
    'duplicate',
  ],
  ['only taken keys in a batch', bulkError([11_000, 11_000]), 'duplicate'],
  ['a taken key and another fault', bulkError([11_000, 2]), 'refused'],
  ['a deadlock of PostgreSQL', serverError(1, 'deadlock detected'), 'contention'],
  ['a deadlock inside a bulk write', bulkError([16_908_292]), 'contention'],
  ['a write conflict of MongoDB', serverError(112, 'WriteConflict'), 'contention'],
  ['a serialisation failure', serverError(1, 'could not serialize access due to'), 'contention'],
  ['a time limit', serverError(50, 'canceling statement due to statement timeout'), 'timeout'],
  ['a lost connection', new MongoNetworkError('connection 3 closed'), 'network'],
  ['a cleared pool', named('MongoPoolClearedError'), 'network'],
  ['no server', named('MongoServerSelectionError'), 'outage'],
  [
    'a bulk write without a server',
    new MongoBulkWriteError(new MongoServerSelectionError('none', {} as never), {} as never),
    'outage',
  ],
  [
    'a bulk write whose connection was lost',
    new MongoBulkWriteError(new MongoNetworkError('closed'), {} as never),
    'network',
  ],
  ['no free connection', named('MongoWaitQueueTimeoutError'), 'outage'],
  ['PostgreSQL away', serverError(1, 'failed to connect to `user=fit`: dial unix'), 'outage'],
  ['PostgreSQL starting', serverError(1, 'the database system is starting up'), 'outage'],
  ['PostgreSQL ending', serverError(1, 'terminating connection due to administrator'), 'outage'],
  ['a full disk', serverError(1, 'could not extend file: No space left on device'), 'outage'],
  ['a primary that steps down', serverError(10_107, 'not primary'), 'outage'],
  ['missing rights', serverError(13, 'command insert requires authentication'), 'outage'],
  ['a document too large', serverError(10_334, 'BSONObjectTooLarge'), 'refused'],
  ['an unknown stage', serverError(40_324, 'Unrecognized pipeline stage'), 'refused'],
  ['an unknown internal error', serverError(1, 'index row size exceeds maximum'), 'refused'],
  ['a defect in this code', new TypeError('not a function'), 'refused'],
  ['nothing at all', undefined, 'refused'],
];

for (const [name, thrown, failure] of CASES)
  test(`${name}: ${failure}`, () => {
    assert.equal(storeFailureOf(thrown), failure);
  });

test('duplicateIndexes returns only the positions of existing keys', () => {
  assert.deepEqual(duplicateIndexes(bulkError([11_000, 2, 11_000])), [0, 2]);
  assert.deepEqual(duplicateIndexes(serverError(11_000, 'E11000')), []);
});
