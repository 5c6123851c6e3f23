/**
 * Goal: the cases of an alert fail if its rule is wrong. Method: one part of an expression at a time is changed, and a case of
 * that alert must fail; with unchanged rules all cases must hold.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { detectMutations, type Mutation } from '../support/mutants.ts';

type Change = readonly [from: string, to: string];

const of = (alert: string, changes: readonly Change[], record = alert): readonly Mutation[] =>
  changes.map(([from, to]) => ({ alert, record, from, to }));

const without = (...parts: readonly string[]): readonly Change[] =>
  parts.map((part): Change => [part, '']);

const OUT_OF_DATE = '\n  and on () min(jobs_records_age_seconds) < 30';

const MUTATIONS: readonly Mutation[] = [
  ...of('QueueNearFull', [
    ['>= 0.9', '>= 0.95'],
    ['>= 0.7', '>= 0.71'],
    ['< 600', '< 500'],
    ['> 0.1 ', '> 0.05 '],
    ['<= 0.6', '<= 0.5'],
    ['<= 0.6', '<= 0.61'],
    ['outcome="confirmed"', 'outcome="nacked"'],
    ['and on (queue) sum by (queue)', 'and on () sum'],
    ...without(
      '\n  and on (vhost, queue) queue:counted > on (vhost, queue) queue:counted offset 5s',
      '\n  and on (vhost, queue) queue:counted offset 10s > on (vhost, queue) queue:counted offset 20s',
    ),
  ]),
  ...['NoConsumers', 'QueueStalled'].flatMap((alert) =>
    of(alert, without('\n  unless on (vhost, queue) queue:paused == 1')),
  ),
  ...of('QueuePaused', [
    ['queue:ready > 0', 'queue:ready >= 0'],
    ['queue:paused == 1', 'queue:paused >= 0'],
  ]),
  ...of('TopologyDrift', [
    ...without(
      '\nor queue:consumers > 0 and on (vhost, queue) queue:info{role="wait"}',
      ' and on () group(up{job="rabbitmq-queues"} == 1)',
      '\nor max by (vhost, queue) (jobs_queue_live_max_length) != on (vhost, queue) queue:max_length',
    ),
  ]),
  ...of('JobsUnaccounted', [['(20 + ', '(0 + '], ['10 * ', '0 * '], ...without(OUT_OF_DATE)]),
  ...of(
    'JobsUnaccounted',
    [
      ['state=~"queued|running|waiting"', 'state="queued"'],
      ['|running', ''],
      ['max by (state)', 'sum by (state)'],
      ['sum(queue:unacked)', '0 * sum(queue:unacked)'],
      ...without(
        ' or queue:ready and on (vhost, queue) queue:info{role="wait"}',
        ' + sum(queue:awaiting_transfer)',
      ),
    ],
    'job:unaccounted',
  ),
  ...of(
    'MessagesDropped',
    ['maxlen', 'expired', 'rejected', 'delivery_limit'].map(
      (reason): Change => [`dead_lettered_${reason}_total`, 'dead_lettered_no_total'],
    ),
    'broker:dropped:increase10m',
  ),
  ...of(
    'MessagesDropped',
    [['unroutable_returned_total', 'unroutable_no_total']],
    'broker:dropped:increase10m',
  ),
  ...of('OutboxStalled', [
    ['> 60', '> 59'],
    ['max(', 'min('],
    ['job="monolith",', ''],
    ['outcome="confirmed"', 'outcome="nacked"'],
    [' and on (vhost, queue) queue:info{role="main"}', ''],
    ...without(
      '\n  unless on () sum(queue:ready and on (vhost, queue) queue:info{role="main"}) > 0',
      OUT_OF_DATE,
    ),
  ]),
  ...of('BacklogTooLong', [
    ['> 1800', '> 2100'],
    ['> 1800', '> 900'],
    [' - time()', ''],
    ...without(
      '\n  unless on () max(last_over_time(daily_run_due_timestamp_seconds[1h]) > 0) - time() > on () job:backlog:seconds',
    ),
  ]),
  ...of(
    'BacklogTooLong',
    [
      ['max(jobs_outbox_pending)', '0 * max(jobs_outbox_pending)'],
      ['max(jobs_outbox_pending)', 'sum(jobs_outbox_pending)'],
      [' or vector(0)', ''],
      [' and on (vhost, queue) queue:info{role="main"}', ''],
    ],
    'job:backlog:seconds',
  ),
  ...of('RetryStorm', without('\n  and on () sum(increase(jobs_attempts_total[5m])) > 20')),
  ...of('StoreDown', [
    ['jobs_store_down) == 1', 'increase(jobs_store_outages_total[1m])) > 0'],
    ['> 30', '> 31'],
  ]),
  ...of('JobFailuresHigh', [
    ...without(
      'job:dead:ratio_rate1h > 0.144 and ',
      ' and job:dead:ratio_rate5m > 0.144',
      '\n  and on () sum(increase(jobs_finished_total[1h])) > 20',
    ),
  ]),
  ...of('CronRunFailed', [['="failed"', '!="complete"']]),
  ...of('CronOverdue', [
    ['[1h]', '[5m]'],
    [' > 0)', ')'],
    ['max(', 'min('],
  ]),
  ...of('TargetDown', [
    ...without(
      ' or absent(queue:consumers)',
      '\n  unless on (job) up{job="rabbitmq-queues"} == 0',
      '\nor absent(up{job="coach"})',
    ),
  ]),
  ...of('BrokerAlarm', [
    ['> 0.8', '> 0.82'],
    ['> 0.5', '> 0.6'],
  ]),
  ...of('AlertPipelineBroken', [
    ...without(
      '\nor sum by (job, instance) (increase(alertmanager_notifications_failed_total[2m])) > 0',
    ),
  ]),
];

test('each change of an expression makes a case of its alert fail', async (t) => {
  const results = await detectMutations(await emptyFolder(t), MUTATIONS);
  const missed = MUTATIONS.filter((_, index) => results[index] !== true);
  assert.deepEqual(missed, []);
});

test('with unchanged rules the same cases hold, for each alert alone', async (t) => {
  const alerts = [...new Set(MUTATIONS.map(({ alert }) => alert))];
  const unchanged = alerts.map((alert) => ({ alert, from: ' ', to: ' ' }));
  const results = await detectMutations(await emptyFolder(t), unchanged);
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
