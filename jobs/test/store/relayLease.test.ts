/** Goal: no relay takes a batch while its maker still moves jobs into it. Method: the lease against the limits of statements. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operationLeaseEndAfter } from '../../src/store/relayLease.ts';
import {
  BACKGROUND_LIMITS,
  longestStatementMs,
  STATEMENT_LIMITS,
} from '../../src/store/statement.ts';

test('the lease of a batch of existing jobs is longer than the statements that fill it', () => {
  const leaseMs = operationLeaseEndAfter(new Date(0)).getTime();
  // A replay inserts the batch and changes up to 500 jobs.
  assert.ok(leaseMs > 2 * longestStatementMs(STATEMENT_LIMITS));
  // The relay and the reconciler insert the batch, look for it where the answer was lost, and change twice 500 jobs.
  assert.ok(leaseMs > 4 * longestStatementMs(BACKGROUND_LIMITS));
});
