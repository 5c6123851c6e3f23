/** Goal: every event changes the metrics that its help text names. Method: single events, then the exported text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobEvent } from '@fit/jobs';
import {
  countJobs,
  countPublishes,
  countSessions,
  createServiceMetrics,
  type ProcessName,
} from '@fit/service';
import { declareTopology } from '@fit/topology';

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { mail: { key: 'job.mail', queue: 'mail', tiers: ['1s', '5s'] } },
});

function open(process: ProcessName = 'coach') {
  const { metrics, plan } = createServiceMetrics(process, { declaration, vhost: '/', routes: [] });
  const valuesOf = async (name: string): Promise<string[]> => {
    const text = await metrics.registry.metrics();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && !line.endsWith(' 0'));
    return lines.map((line) => line.slice(name.length));
  };
  return { metrics, plan, valuesOf, count: countJobs(metrics) };
}

const FAILED = {
  type: 'attempted',
  kind: 'mail',
  queue: 'mail',
  outcome: 'retry',
  durationMs: 20,
  errorClass: 'TypeError',
  state: 'waiting',
  jobId: 'mail:1',
  runId: undefined,
  attempt: 1,
  traceparent: undefined,
} as const satisfies JobEvent;

test('a failure with a delay counts as a retry of its wait queue, one without a delay as dead', async () => {
  const { count, valuesOf } = open();
  count({ ...FAILED, delayMs: 1_000, waitQueue: 'mail.wait.1.1s', queueWaitMs: 300 });
  count(FAILED);
  assert.deepEqual(await valuesOf('jobs_attempts_total'), [
    '{queue="mail",kind="mail",outcome="retry"} 1',
    '{queue="mail",kind="mail",outcome="dead"} 1',
  ]);
  assert.deepEqual(await valuesOf('jobs_retries_scheduled_total'), ['{queue="mail.wait.1.1s"} 1']);
  assert.deepEqual(await valuesOf('jobs_failures_total'), [
    '{kind="mail",error_class="TypeError"} 2',
  ]);
  assert.deepEqual(await valuesOf('jobs_queue_wait_seconds_sum'), ['{queue="mail"} 0.3']);
});

test('each end counts once with its attempts and its time; a job without an enqueue time counts without the time', async () => {
  const { count, valuesOf } = open();
  const ends = [
    { jobId: undefined, attemptCount: 1, endToEndMs: 2_000 },
    { jobId: undefined, attemptCount: 3, endToEndMs: undefined },
  ];
  count({ type: 'finished', kind: 'mail', count: 2, ends });
  count({ type: 'deadLettered', kind: 'mail', cause: 'exhausted', count: 1, ends: [] });
  count({ type: 'deadLetterStored', kind: 'mail', cause: 'malformed', count: 4 });
  assert.deepEqual(await valuesOf('jobs_finished_total'), [
    '{kind="mail",outcome="success"} 2',
    '{kind="mail",outcome="dead"} 1',
  ]);
  assert.deepEqual(await valuesOf('jobs_dead_lettered_total'), [
    '{kind="mail",cause="exhausted"} 1',
    '{kind="mail",cause="malformed"} 4',
  ]);
  assert.deepEqual(await valuesOf('jobs_attempts_per_job_sum'), [
    '{kind="mail",outcome="success"} 4',
  ]);
  assert.deepEqual(await valuesOf('jobs_end_to_end_seconds_count'), [
    '{kind="mail",outcome="success"} 1',
  ]);
});

test('a publish counts by the queue that exchange and key lead to', async () => {
  const { metrics, plan, valuesOf } = open('monolith');
  const count = countPublishes(metrics, plan);
  const published = { type: 'published', message: 'job.mail', durationMs: 5 } as const;
  const republished = { type: 'republished', queue: 'mail', durationMs: 5 } as const;
  count({ ...published, exchange: 'jobs', key: 'job.mail', result: 'confirmed' });
  count({ ...republished, exchange: 'mail.park', key: 'whatever', result: 'confirmed' });
  count({ ...republished, exchange: 'mail.retry', key: 'mail.r1', result: 'QUEUE_FULL' });
  count({ ...published, exchange: 'mail.return', key: 'mail.r2', result: 'TIMEOUT' });
  count({ ...published, exchange: 'elsewhere', key: 'x', result: 'CONNECTION_LOST' });
  count({ type: 'redelivered', queue: 'mail' });
  assert.deepEqual(
    (await valuesOf('jobs_published_total')).sort(),
    [
      '{queue="mail",outcome="confirmed"} 1',
      '{queue="mail",outcome="timeout"} 1',
      '{queue="mail.dead",outcome="confirmed"} 1',
      '{queue="mail.wait.2.5s",outcome="nacked"} 1',
      '{queue="other",outcome="error"} 1',
    ].sort(),
  );
  assert.equal((await valuesOf('jobs_publish_confirm_seconds_count')).length, 3);
});

test('jobs without a queue, replayed jobs and the end of a relay round are counted', async () => {
  const { count, valuesOf, metrics } = open('monolith');
  count({ type: 'published', queue: 'unknown', result: 'returned', count: 2, jobs: [] });
  count({ type: 'published', queue: 'mail', result: 'confirmed', count: 9, jobs: [] });
  count({ type: 'replayed', kind: 'mail', count: 3 });
  count({ type: 'roundEnded', task: 'relay' });
  assert.deepEqual(await valuesOf('jobs_published_total'), ['{queue="other",outcome="error"} 2']);
  assert.deepEqual(await valuesOf('jobs_replayed_total'), ['{kind="mail"} 3']);
  const text = await metrics.registry.metrics();
  assert.match(text, /^jobs_relay_last_timestamp_seconds 1\d{9}/m);
  assert.match(text, /^jobs_reconcile_last_timestamp_seconds 0$/m);
});

test('closed channels count by reply code, and a lost connection counts as a reconnect', async () => {
  const { metrics, valuesOf } = open();
  const count = countSessions(metrics);
  const closed = (code?: number) => Object.assign(new Error('closed'), { code });
  count({ type: 'channelFailed', purpose: 'consume', error: closed(406) });
  count({ type: 'channelFailed', purpose: 'consume', error: closed(599) });
  count({ type: 'channelFailed', purpose: 'consume', error: closed() });
  count({ type: 'disconnected', purpose: 'consume', error: closed() });
  assert.deepEqual(await valuesOf('amqp_channel_errors_total'), [
    '{code="406"} 1',
    '{code="other"} 2',
  ]);
  assert.match(await metrics.registry.metrics(), /^amqp_reconnects_total 1$/m);
});

test('a broker that restarts counts as one loss, whatever the number of connections', async () => {
  const { metrics } = open();
  const count = countSessions(metrics);
  const [lost, back] = [
    { type: 'disconnected', purpose: 'publish', error: new Error('closed') },
    { type: 'connected', purpose: 'publish' },
  ] as const;
  for (const event of [back, back, lost, lost, back, back, lost, lost, back, back]) count(event);
  assert.match(await metrics.registry.metrics(), /^amqp_reconnects_total 2$/m);
});

test('the database counts as down for each stage from its first refusal until it answers again', async () => {
  const { count, valuesOf } = open('monolith');
  const error = new Error('no answer');
  for (const stage of ['relay', 'deadLetterRecorder']) count({ type: 'storeDown', stage, error });
  count({ type: 'storeUp', stage: 'deadLetterRecorder' });
  assert.deepEqual(await valuesOf('jobs_store_down'), ['{stage="relay"} 1']);
  assert.deepEqual(await valuesOf('jobs_store_outages_total'), [
    '{stage="relay"} 1',
    '{stage="deadLetterRecorder"} 1',
  ]);
});
