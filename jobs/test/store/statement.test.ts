/** Goal: temporary failures are repeated within bounds, others are thrown at once. Method: statements that fail in a given order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MongoServerError } from 'mongodb';
import { LEASE_MS, RENEW_MS } from '../../src/background/leasedLoop.ts';
import {
  BACKGROUND_LIMITS,
  LOOKUP_LIMITS,
  longestStatementMs,
  runStatement,
  STATEMENT_LIMITS,
} from '../../src/store/statement.ts';

const deadlock = () => new MongoServerError({ code: 1, message: 'deadlock detected' });
const timeLimit = () => new MongoServerError({ code: 50, message: 'statement timeout' });

/** @returns a statement that throws these errors in order, and then answers. */
function failing(errors: readonly Error[]) {
  const given: number[] = [];
  const statement = ({ maxTimeMS }: { maxTimeMS: number }) => {
    given.push(maxTimeMS);
    const error = errors[given.length - 1];
    if (error === undefined) return Promise.resolve('answer');
    return Promise.reject(error);
  };
  return { statement, given };
}

test('each try has the time limit, and deadlocks are repeated until the statement answers', async () => {
  const { statement, given } = failing([deadlock(), deadlock(), deadlock()]);
  assert.equal(await runStatement(statement), 'answer');
  assert.deepEqual(given, Array(4).fill(STATEMENT_LIMITS.statementMs));
});

test('after the last try a deadlock is thrown as contention, with its cause', async () => {
  const errors = Array.from({ length: 10 }, deadlock);
  const { statement, given } = failing(errors);
  await assert.rejects(runStatement(statement), {
    name: 'StoreUnavailable',
    reason: 'contention',
    message: 'deadlock detected',
    cause: errors[5],
  });
  assert.equal(given.length, STATEMENT_LIMITS.tryCount);
});

test('no try begins after the time budget is spent, and a statement that is always too slow is an outage', async () => {
  const { statement, given } = failing(Array.from({ length: 10 }, timeLimit));
  await assert.rejects(runStatement(statement, { ...STATEMENT_LIMITS, budgetMs: 0 }), {
    name: 'StoreUnavailable',
    reason: 'outage',
  });
  assert.equal(given.length, 1);
});

test('an outage and a refused document are thrown at the first try, each with its error', async () => {
  const away = failing([new MongoServerError({ code: 1, message: 'failed to connect' })]);
  await assert.rejects(runStatement(away.statement), {
    name: 'StoreUnavailable',
    reason: 'outage',
  });
  const large = failing([new RangeError('Document is larger than the maximum size')]);
  await assert.rejects(runStatement(large.statement), { name: 'StatementRefused' });
  assert.deepEqual([away.given.length, large.given.length], [1, 1]);
});

test('the longest statement of a background task ends before its lease does; the longest of a request does not', () => {
  assert.ok(RENEW_MS + longestStatementMs(BACKGROUND_LIMITS) < LEASE_MS);
  assert.ok(longestStatementMs(STATEMENT_LIMITS) > LEASE_MS);
});

test('a caller with an answer limit is told of an outage by then, although the driver still waits', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const answer = runStatement(() => new Promise<never>(() => undefined), LOOKUP_LIMITS);
  t.mock.timers.tick(LOOKUP_LIMITS.answerMs ?? 0);
  await assert.rejects(answer, {
    name: 'StoreUnavailable',
    reason: 'outage',
    message: 'no answer within 4000 ms',
  });
});
