/**
 * Goal: what the processes export is what the catalogue says, no more and no less, in names, kinds, labels and numbers.
 * Method: real processes after a run with failures, their live pages, promtool.
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
import { startCron } from './support/cron.ts';
import { type Page, readPage } from './support/metricsPage.ts';
import { DAY, follow, startWorld } from './support/world.ts';

type Name = keyof typeof SERIES_CEILINGS;

const DEFINITIONS: Readonly<Record<string, MetricDefinition>> = Object.fromEntries(
  CATALOGUE.flatMap(({ metrics }) => Object.entries(metrics)),
);
/** prom-client's gauges that end like counters. */
const ALLOWED_LINT = /^nodejs_active_(?:handles|requests|resources)_total /;

const JOB_COUNT = 60;

/** Every kind of thing has happened once: done, failed, dead, malformed requests. */
async function startBusyWorld(
  t: TestContext,
  settings: Record<string, string> = {},
): Promise<ReadonlyMap<Name, Page>> {
  const world = await startWorld(t, { COACH_FAILURE_RATE: '0.5', ...settings });
  const { client, system } = world;
  await client.createUsers(sampleUsers(JOB_COUNT));
  await follow(world, (await client.generateWods({ date: DAY })).runId);
  await fetch(`${system.monolith.url}/no/such/${crypto.randomUUID()}`);
  await fetch(`${system.coaches[0]?.url ?? ''}/wods/${crypto.randomUUID()}?date=${DAY}`);
  const pages = await readOnceCounted(system);
  // Started last: its own run, for all members, would be counted too.
  const cron = await startCron(t, world);
  return pages.set('cron', await readPage(`${cron.url}/metrics`));
}

/** A job is counted after it is stored, so who reads its end in the store may be earlier than the count. */
async function readOnceCounted({ monolith, coaches }: System): Promise<Map<Name, Page>> {
  let endedCount = 0;
  return await eventually(
    async () => {
      const pages = new Map<Name, Page>([
        ['monolith', await readPage(monolith.metricsUrl)],
        ['coach', await readPage(coaches[0]?.metricsUrl ?? '')],
      ]);
      const counts = [...pages.values()].map((page) => page.sum('jobs_finished_total'));
      endedCount = counts.reduce((total, count) => total + count, 0);
      return endedCount >= JOB_COUNT && pages;
    },
    { describe: () => `${endedCount} of ${JOB_COUNT} jobs are counted` },
  );
}

/** @returns the values of a closed list, else undefined. */
function valuesOf(bound: LabelBound | undefined): readonly string[] | undefined {
  return bound === undefined || 'known' in bound || 'atMost' in bound ? undefined : bound;
}

/** The labels of a series but for the bucket's own. */
function labelsOf(labels: Readonly<Record<string, string>>): string[] {
  return Object.keys(labels).filter((name) => name !== 'le');
}

function checkNames(name: Name, page: Page): void {
  const expected = Object.entries(DEFINITIONS)
    .filter(([, { exportedBy }]) => exportedBy.includes(name))
    .map(([metric, { kind }]) => `${metric} ${kind}`);
  const found = [...page.types].map(([metric, kind]) => `${metric} ${kind}`);
  assert.deepEqual(found.sort(), expected.sort(), name);
}

function checkLabels(page: Page): void {
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

/** Every combination of the closed labels of a metric without `appearsWhen` is exported. */
function checkStart(name: Name, page: Page): void {
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
      const isThere = page.series.some(
        (series) =>
          series.metric === metric &&
          Object.entries(set).every(([label, value]) => series.labels[label] === value),
      );
      assert.ok(isThere, `${name}: ${metric} ${JSON.stringify(set)} is not there`);
    }
  }
}

test('live pages are the catalogue: names, kinds, labels, zeros, ceilings; promtool finds nothing', async (t) => {
  const pages = await startBusyWorld(t);
  for (const [name, page] of pages) {
    const { code, output } = await promtool(['check', 'metrics'], {
      cwd: tmpdir(),
      input: page.text,
    });
    const complaints = output.split('\n').filter((line) => line !== '' && !ALLOWED_LINT.test(line));
    assert.deepEqual(complaints, [], `${name}, code ${code}`);
    checkNames(name, page);
    checkLabels(page);
    checkStart(name, page);
    t.diagnostic(`${name}: ${page.series.length} series of at most ${SERIES_CEILINGS[name]}`);
    assert.ok(page.series.length <= SERIES_CEILINGS[name], `${name}: ${page.series.length} series`);
  }
});

test('figures add up: each job ends once, and what is timed is counted', async (t) => {
  const tierSeconds = 10;
  const pages = await startBusyWorld(t, { FIT_TIERS: `${tierSeconds}s` });
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
  // What the retries waited in their tier would alone be this much, and it is not counted as waiting for a worker.
  const inTierSeconds = coach.sum('jobs_retries_scheduled_total') * tierSeconds;
  const waitedSeconds = coach.sum('jobs_queue_wait_seconds_sum');
  assert.ok(waitedSeconds < inTierSeconds, `${waitedSeconds} s, ${inTierSeconds} s in the tier`);
  assert.ok(coach.sum('mongodb_command_duration_seconds_count', { outcome: 'ok' }) > 0);
});

test('the bound of the SLO is a bucket of its own, and each plain name leads to a metric that exists', () => {
  assert.ok(DEFINITIONS['jobs_end_to_end_seconds']?.buckets?.includes(60));
  for (const { metric, query } of METRIC_ALIASES) {
    assert.ok(DEFINITIONS[metric], metric);
    assert.ok(query.includes(metric));
  }
});
