/**
 * Goal: the processes export exactly the metrics of the catalogue, with its names, kinds, labels and zeros. Method: the
 * metrics pages of real processes after a run with failures, and promtool.
 */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { type TestContext, test } from 'node:test';
import {
  CATALOGUE,
  type LabelBound,
  METRIC_ALIASES,
  type MetricDefinition,
  SERIES_CEILINGS,
} from '@fit/service';
import { promtool, type System, sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { type MetricsPage, readMetricsPage } from '../src/metricsPage.ts';
import { startCron } from './support/programs.ts';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';

type ProcessName = keyof typeof SERIES_CEILINGS;

const DEFINITIONS: Readonly<Record<string, MetricDefinition>> = Object.fromEntries(
  CATALOGUE.flatMap(({ metrics }) => Object.entries(metrics)),
);
/** Gauges of prom-client whose names end like those of counters; promtool finds fault with them. */
const ALLOWED_LINT = /^nodejs_active_(?:handles|requests|resources)_total /;

const JOB_COUNT = 60;

/** @returns the metrics pages after every kind of event: jobs done, failed and dead, and requests that were refused. */
async function readPagesAfterRun(
  t: TestContext,
  settings: Record<string, string> = {},
): Promise<ReadonlyMap<ProcessName, MetricsPage>> {
  const tested = await startSystemUnderTest(t, { COACH_FAILURE_RATE: '0.5', ...settings });
  const { client, system } = tested;
  await client.createUsers(sampleUsers(JOB_COUNT));
  await waitForRun(tested, (await client.generateWods({ date: DATE })).runId);
  await fetch(`${system.monolith.url}/no/such/${crypto.randomUUID()}`);
  await fetch(`${system.coaches[0]?.url ?? ''}/wods/${crypto.randomUUID()}?date=${DATE}`);
  const pages = await readPagesWhenCounted(system);
  // Cron is started last, because the run that it requests for all users would be counted, too.
  const cron = await startCron(t, tested);
  return pages.set('cron', await readMetricsPage(`${cron.url}/metrics`));
}

/** Polls, because a job is counted only after its end is stored. */
async function readPagesWhenCounted({
  monolith,
  coaches,
}: System): Promise<Map<ProcessName, MetricsPage>> {
  let endedCount = 0;
  return await eventually(
    async () => {
      const pages = new Map<ProcessName, MetricsPage>([
        ['monolith', await readMetricsPage(monolith.metricsUrl)],
        ['coach', await readMetricsPage(coaches[0]?.metricsUrl ?? '')],
      ]);
      const counts = [...pages.values()].map((page) => page.sum('jobs_finished_total'));
      endedCount = counts.reduce((total, count) => total + count, 0);
      return endedCount >= JOB_COUNT && pages;
    },
    { describe: () => `${endedCount} of ${JOB_COUNT} jobs are counted` },
  );
}

/** @returns the values of a label with a closed list of values, undefined for any other label. */
function valuesOf(bound: LabelBound | undefined): readonly string[] | undefined {
  return bound === undefined || 'known' in bound || 'atMost' in bound ? undefined : bound;
}

/** The labels of a series without `le`, the label of histogram buckets. */
function labelsOf(labels: Readonly<Record<string, string>>): string[] {
  return Object.keys(labels).filter((name) => name !== 'le');
}

function expectNames(name: ProcessName, page: MetricsPage): void {
  const expected = Object.entries(DEFINITIONS)
    .filter(([, { exportedBy }]) => exportedBy.includes(name))
    .map(([metric, { kind }]) => `${metric} ${kind}`);
  const found = [...page.types].map(([metric, kind]) => `${metric} ${kind}`);
  assert.deepEqual(found.sort(), expected.sort(), name);
}

function expectLabels(page: MetricsPage): void {
  for (const { metric, labels } of page.series) {
    const definition = DEFINITIONS[metric];
    assert.ok(definition, metric);
    const expected = Object.keys(definition.labels).sort();
    assert.deepEqual(labelsOf(labels).sort(), expected, metric);
    for (const [label, value] of Object.entries(labels)) {
      const values = valuesOf(definition.labels[label]) ?? [value];
      assert.ok([...values, 'other'].includes(value), `${metric} ${label}=${value}`);
    }
  }
}

/** A metric without `appearsWhen` must exist from the start with every combination of its closed labels. */
function expectZeros(name: ProcessName, page: MetricsPage): void {
  for (const [metric, { labels, exportedBy, appearsWhen }] of Object.entries(DEFINITIONS)) {
    if (!exportedBy.includes(name) || appearsWhen !== undefined) continue;
    const sets = Object.entries(labels).reduce<Record<string, string>[]>(
      (all, [label, bound]) => {
        const values = valuesOf(bound);
        if (values === undefined) return all;
        return all.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
      },
      [{}],
    );
    for (const set of sets) {
      const exists = page.series.some(
        (series) =>
          series.metric === metric &&
          Object.entries(set).every(([label, value]) => series.labels[label] === value),
      );
      assert.ok(exists, `${name}: ${metric} ${JSON.stringify(set)} is missing`);
    }
  }
}

test('each metrics page has the names, kinds, labels, zeros and series limits of the catalogue, and promtool accepts it', async (t) => {
  const pages = await readPagesAfterRun(t);
  for (const [name, page] of pages) {
    const { code, output } = await promtool(['check', 'metrics'], {
      cwd: tmpdir(),
      input: page.text,
    });
    const findings = output.split('\n').filter((line) => line !== '' && !ALLOWED_LINT.test(line));
    assert.deepEqual(findings, [], `${name}, code ${code}`);
    expectNames(name, page);
    expectLabels(page);
    expectZeros(name, page);
    t.diagnostic(`${name}: ${page.series.length} series of at most ${SERIES_CEILINGS[name]}`);
    assert.ok(page.series.length <= SERIES_CEILINGS[name], `${name}: ${page.series.length} series`);
  }
});

test('each job is counted once at its end, and each timed event is counted', async (t) => {
  const tierSeconds = 10;
  const pages = await readPagesAfterRun(t, { FIT_TIERS: `${tierSeconds}s` });
  const [monolith, coach] = [pages.get('monolith'), pages.get('coach')];
  assert.ok(monolith && coach);
  const ended = coach.sum('jobs_finished_total') + monolith.sum('jobs_finished_total');
  assert.equal(ended, JOB_COUNT);
  assert.equal(coach.sum('jobs_end_to_end_seconds_count'), coach.sum('jobs_finished_total'));
  assert.equal(coach.sum('jobs_attempts_per_job_count'), coach.sum('jobs_finished_total'));
  assert.equal(coach.sum('jobs_attempts_per_job_sum'), coach.sum('jobs_attempts_total'));
  assert.equal(coach.sum('jobs_queue_wait_seconds_count'), coach.sum('jobs_attempts_total'));
  assert.equal(coach.sum('jobs_run_seconds_count'), coach.sum('jobs_attempts_total'));
  assert.equal(
    coach.sum('jobs_retries_scheduled_total'),
    coach.sum('jobs_attempts_total', { outcome: 'retry' }),
  );
  assert.equal(
    coach.sum('jobs_dead_lettered_total'),
    coach.sum('jobs_finished_total', { outcome: 'dead' }),
  );
  assert.equal(monolith.sum('jobs_published_total', { outcome: 'confirmed' }), JOB_COUNT);
  assert.equal(monolith.sum('jobs_publish_confirm_seconds_count'), JOB_COUNT);
  // The time in a wait queue is not counted as waiting for a worker: it alone would exceed the sum.
  const inTierSeconds = coach.sum('jobs_retries_scheduled_total') * tierSeconds;
  const waitedSeconds = coach.sum('jobs_queue_wait_seconds_sum');
  assert.ok(waitedSeconds < inTierSeconds, `${waitedSeconds} s, ${inTierSeconds} s in the tier`);
  assert.ok(coach.sum('mongodb_command_duration_seconds_count', { outcome: 'ok' }) > 0);
});

test('the limit of the SLO is a bucket boundary, and each plain name refers to a metric that exists', () => {
  assert.ok(DEFINITIONS['jobs_end_to_end_seconds']?.buckets?.includes(60));
  for (const { metric, query } of METRIC_ALIASES) {
    assert.ok(DEFINITIONS[metric], metric);
    assert.ok(query.includes(metric));
  }
});
