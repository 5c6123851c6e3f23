/** Goal: a line knows what it is about, however late it is written, and names no trace that nobody records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  addLogFields,
  currentTraceparent,
  logFields,
  withAttemptLogContext,
  withLogContext,
} from '../../src/process/logContext.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('fields stay with their request, two at once, and later notes are added', async () => {
  const one = async (request_id: string) =>
    await withLogContext({ request_id }, async () => {
      await turn();
      addLogFields({ run_id: `run of ${request_id}` });
      await turn();
      return logFields();
    });
  assert.deepEqual(await Promise.all([one('a'), one('b')]), [
    { request_id: 'a', run_id: 'run of a' },
    { request_id: 'b', run_id: 'run of b' },
  ]);
});

test('outside of everything there is nothing, and a note is harmless', () => {
  addLogFields({ run_id: 'lost' });
  assert.deepEqual([logFields(), currentTraceparent()], [{}, undefined]);
});

test('an attempt is told with its job, and its trace only where it is recorded', () => {
  const scope = { jobId: 'mail:1', runId: 'r', queue: 'mail', attempt: 2 };
  const fieldsWith = (flags: string) =>
    withAttemptLogContext({ ...scope, traceparent: `00-${TRACE}-${SPAN}-${flags}` }, logFields);
  const told = { job_id: 'mail:1', run_id: 'r', queue: 'mail', attempt: 2 };
  assert.deepEqual(fieldsWith('01'), { ...told, trace_id: TRACE, span_id: SPAN });
  assert.deepEqual(fieldsWith('00'), told);
});
