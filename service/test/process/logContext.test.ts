/** Goal: a line has the fields of its request or attempt, however late it is written, and no trace id of an unsampled trace. Method: concurrent requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  addLogFields,
  currentTraceparent,
  logFields,
  withAttemptLogContext,
  withLogContext,
} from '../../src/process/logContext.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('two concurrent requests keep their own fields, and fields added later are included', async () => {
  const one = async (request_id: string) =>
    await withLogContext({ request_id }, async () => {
      await nextTurn();
      addLogFields({ run_id: `run of ${request_id}` });
      await nextTurn();
      return logFields();
    });
  assert.deepEqual(await Promise.all([one('a'), one('b')]), [
    { request_id: 'a', run_id: 'run of a' },
    { request_id: 'b', run_id: 'run of b' },
  ]);
});

test('outside of a request there are no fields, and adding some does nothing', () => {
  addLogFields({ run_id: 'lost' });
  assert.deepEqual([logFields(), currentTraceparent()], [{}, undefined]);
});

test('the lines of an attempt name its job, and its trace only where the trace is sampled', () => {
  const scope = { jobId: 'mail:1', runId: 'r', queue: 'mail', attempt: 2 };
  const fieldsWith = (flags: string) =>
    withAttemptLogContext({ ...scope, traceparent: `00-${TRACE}-${SPAN}-${flags}` }, logFields);
  const fields = { job_id: 'mail:1', run_id: 'r', queue: 'mail', attempt: 2 };
  assert.deepEqual(fieldsWith('01'), { ...fields, trace_id: TRACE, span_id: SPAN });
  assert.deepEqual(fieldsWith('00'), fields);
});
