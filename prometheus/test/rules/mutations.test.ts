/**
 * Goal: the cases of an alert tell a rule that is wrong. Method: each part of an expression that matters is changed alone, and a
 * case of that alert must fail; unchanged, all must hold.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Mutation, noticed } from '../support/mutants.ts';

type Change = readonly [from: string, to: string];

const of = (alert: string, changes: readonly Change[], record = alert): readonly Mutation[] =>
  changes.map(([from, to]) => ({ alert, record, from, to }));

const without = (...parts: readonly string[]): readonly Change[] =>
  parts.map((part): Change => [part, '']);

const STALE = '\n  and on () min(jobs_records_age_seconds) < 30';

const MUTATIONS: readonly Mutation[] = [
  ...of('QueueNearFull', [['>= 0.9', '>= 0.95']]),
  ...of('JobsUnaccounted', [['(20 + ', '(0 + '], ['10 * ', '0 * '], ...without(STALE)]),
  ...of(
    'JobsUnaccounted',
    [
      ['state=~"queued|running|waiting"', 'state="queued"'],
      ['|running', ''],
      ['max by (state)', 'sum by (state)'],
      ['sum(queue:unacked)', '0 * sum(queue:unacked)'],
      ...without(
        ' or queue:ready and on (vhost, queue) queue:info{role="wait"}',
        ' + sum(queue:dlx_held)',
      ),
    ],
    'job:unaccounted',
  ),
  ...of(
    'MessagesDestroyed',
    ['maxlen', 'expired', 'rejected', 'delivery_limit'].map(
      (reason): Change => [`dead_lettered_${reason}_total`, 'dead_lettered_no_total'],
    ),
    'broker:destroyed:increase10m',
  ),
  ...of('BrokerRefusesPublishes', [
    ...without('\n  - sum by (instance) (increase(rabbitmq_global_messages_confirmed_total[5m]))'),
    ['max_over_time(jobs_publish_pending[1m])', 'jobs_publish_pending'],
    ['1.1 * ', '0 * '],
    ['1.1 * ', '1 * '],
  ]),
  ...of('OutboxStale', [['> 60', '> 59'], ['max(', 'min('], ...without(STALE)]),
  ...of('RetryStorm', without('\n  and on () sum(increase(jobs_attempts_total[5m])) > 20')),
  ...of('WorkersSaturated', [
    ['sum(jobs_worker_concurrency)', 'count(jobs_worker_concurrency)'],
    ['sum(jobs_worker_concurrency)', 'max(jobs_worker_concurrency)'],
    ['> 0.9', '> 0.1'],
  ]),
  ...of('StoreDown', [
    ['jobs_store_down) == 1', 'increase(jobs_store_outages_total[1m])) > 0'],
    ['> 30', '> 31'],
  ]),
  ...of('AmqpUnstable', [
    ['> 3.5', '> 3'],
    ['> 3.5', '> 4.5'],
  ]),
  ...of('JobLatencyBurn', [
    ...without(
      'job:slow:ratio_rate1h > 0.144 and ',
      ' and job:slow:ratio_rate5m > 0.144',
      '\n  and on () sum(increase(jobs_finished_total[1h])) > 20',
    ),
  ]),
  ...of('JobLatencyBurn', [['le=~"60(\\\\.0)?"', 'le="60.0"']], 'job:slow:ratio_rate1h'),
  ...of('JobLatencyBurn', [['le=~"60(\\\\.0)?"', 'le="60.0"']], 'job:slow:ratio_rate5m'),
  ...of('CronRunFailed', [
    ['="incomplete"', '=~"incomplete|failed"'],
    ['="failed"', '!="complete"'],
  ]),
  ...of('CronOverdue', [
    ['[1h]', '[5m]'],
    [' > 0)', ')'],
    ['max(', 'min('],
  ]),
  ...of('PublishRejected', [
    ['[1m]', '[5m]'],
    ['!="confirmed"', '="nacked"'],
  ]),
  ...of('AlertPipelineBroken', [
    ...without(
      '\nor sum by (job, instance) (increase(alertmanager_notifications_failed_total[2m])) > 0',
    ),
  ]),
];

test('each change of an expression is noticed by a case of its alert', async (t) => {
  const results = await noticed(await emptyFolder(t), MUTATIONS);
  const missed = MUTATIONS.filter((_, index) => results[index] !== true);
  assert.deepEqual(missed, []);
});

test('with the rules as they are the same cases hold, each alert by itself', async (t) => {
  const alerts = [...new Set(MUTATIONS.map(({ alert }) => alert))];
  const unchanged = alerts.map((alert) => ({ alert, from: ' ', to: ' ' }));
  const results = await noticed(await emptyFolder(t), unchanged);
  assert.deepEqual(
    alerts.filter((_, index) => results[index] !== false),
    [],
  );
});

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-mutants-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
