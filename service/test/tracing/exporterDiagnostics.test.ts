/** Goal: a collector that does not answer causes one log line a minute, with the number of warnings. Method: an injected clock and log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exporterDiagnostics } from '../../src/tracing/exporterDiagnostics.ts';

test('the first warning is logged at once, the next after a minute, with the number of warnings so far', () => {
  const lines: object[] = [];
  const clock = { now: 0 };
  const diagnostics = exporterDiagnostics(
    {
      warn: (fields) => {
        lines.push(fields);
      },
    },
    () => clock.now,
  );
  for (clock.now = 0; clock.now < 60_000; clock.now += 1_000)
    diagnostics.error('connect ECONNREFUSED');
  assert.deepEqual(lines, [{ count: 1, reason: 'connect ECONNREFUSED' }]);
  clock.now = 60_000;
  diagnostics.warn('x'.repeat(1_000));
  assert.deepEqual(lines[1], { count: 61, reason: 'x'.repeat(200) });
  diagnostics.info('started');
  diagnostics.debug('sent');
  diagnostics.verbose('really');
  assert.equal(lines.length, 2);
});
