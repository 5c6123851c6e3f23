/** Goal: a dead collector is one line a minute, with the number of complaints. Method: a clock and a log of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exporterDiagnostics } from '../../src/tracing/exporterDiagnostics.ts';

test('the first complaint is told, the next after a minute, with how many there were', () => {
  const lines: object[] = [];
  const clock = { now: 0 };
  const troubles = exporterDiagnostics(
    {
      warn: (fields) => {
        lines.push(fields);
      },
    },
    () => clock.now,
  );
  for (clock.now = 0; clock.now < 60_000; clock.now += 1_000)
    troubles.error('connect ECONNREFUSED');
  assert.deepEqual(lines, [{ count: 1, reason: 'connect ECONNREFUSED' }]);
  clock.now = 60_000;
  troubles.warn('x'.repeat(1_000));
  assert.deepEqual(lines[1], { count: 61, reason: 'x'.repeat(200) });
  troubles.info('started');
  troubles.debug('sent');
  troubles.verbose('really');
  assert.equal(lines.length, 2);
});
