/** What a step of the check is, and what several steps check of the running system. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { followRun } from '@fit/client';
import { eventually } from '@fit/stack/testing';
import type { ComposeProject } from '../composeProject.ts';

export interface StepContext {
  readonly project: ComposeProject;
  /** Values that a step leaves for later steps, by name. */
  readonly facts: Map<string, string>;
  readonly report: (line: string) => void;
}

/** One action of an operator, and the checks after it. */
export interface Step {
  readonly title: string;
  /** @returns a figure for the output, or undefined. @throws Error that names what does not hold. */
  run(context: StepContext): Promise<string | undefined>;
}

/** The services of docker-compose.yml with a container each; `more-coaches` has none until it is scaled up. */
export const SERVICES = [
  'rabbitmq',
  'mongo',
  'monolith',
  'coach',
  'cron',
  'prometheus',
  'alertmanager',
  'grafana',
] as const;

const RUN_TIMEOUT_MS = 120_000;
const SCRAPE_TIMEOUT_MS = 90_000;

/** Only the last two scrapes: series that ended while Prometheus was down stay in its answers for five minutes. */
const recent = (series: string): string => `${series} and time() - timestamp(${series}) < 11`;

/** Waits until every job of prometheus.yml is scraped. @returns the number of targets. */
export async function assertTargetsUp(project: ComposeProject, coaches = 1): Promise<number> {
  let seen: string[] = [];
  const expected = [
    'alertmanager',
    'cron',
    'monolith',
    'prometheus',
    'rabbitmq',
    'rabbitmq-queues',
    ...Array.from({ length: coaches }, () => 'coach'),
  ].sort();
  return await eventually(
    async () => {
      const series = await project.prometheus.query(recent('up'));
      seen = series.map(
        ({ metric, values }) => `${metric['job']}${values[0] === 1 ? '' : ' down'}`,
      );
      return seen.toSorted().join() === expected.join() && seen.length;
    },
    {
      deadlineMs: SCRAPE_TIMEOUT_MS,
      describe: () => `targets ${seen.toSorted().join(', ')}; expected ${expected.join(', ')}`,
    },
  );
}

/** Waits until Prometheus evaluates all rules of the file without an error. @returns the number of rules. */
export async function assertRulesLoaded(project: ComposeProject, path: string): Promise<number> {
  const text = await readFile(join(project.folder, path), 'utf8');
  const expected = [...text.matchAll(/^ +-? ?(?:alert|record): /gm)].length;
  assert.ok(expected > 30, `${path} has ${expected} rules`);
  let seen = '';
  return await eventually(
    async () => {
      const rules = await project.prometheus.rules();
      const failing = rules.filter(({ health }) => health !== 'ok');
      seen = `${rules.length} rules, ${failing.length} failing: ${failing[0]?.lastError ?? ''}`;
      return rules.length === expected && failing.length === 0 && expected;
    },
    { deadlineMs: SCRAPE_TIMEOUT_MS, describe: () => `${seen}; ${path} has ${expected}` },
  );
}

/** Makes a workout for the user and checks that the coach serves it. @returns the id of the run. */
export async function assertJobDone(project: ComposeProject, user: string): Promise<string> {
  const client = await project.client();
  await client.createUsers([{ id: user, level: 'rx', equipment: ['barbell'] }]);
  const { runId } = await client.generateWods();
  const status = await followRun({
    client,
    runId,
    waitMs: RUN_TIMEOUT_MS,
    onProgress: () => undefined,
  });
  assert.equal(status.states['done'], status.total, JSON.stringify(status));
  await assertWorkoutServed(project, user);
  return runId;
}

export async function assertWorkoutServed(project: ComposeProject, user: string): Promise<void> {
  const client = await project.client();
  const authorization = `Bearer ${await client.token()}`;
  const response = await fetch(`http://127.0.0.1:${project.ports.coach}/wods/${user}`, {
    headers: { authorization },
  });
  assert.equal(response.status, 200, `the coach's answer for ${user}: ${await response.text()}`);
}

/** Waits until Prometheus has scraped this version and commit from monolith, cron and every coach. */
export async function assertBuild(
  project: ComposeProject,
  expected: { readonly version: string; readonly commit: string; readonly coaches: number },
): Promise<void> {
  const wanted = ['cron', 'monolith', ...Array.from({ length: expected.coaches }, () => 'coach')]
    .map((job) => `${job} ${expected.version} ${expected.commit}`)
    .sort();
  let seen: string[] = [];
  await eventually(
    async () => {
      const series = await project.prometheus.query(recent('app_build_info'));
      seen = series.map(({ metric: { job, version, commit } }) => `${job} ${version} ${commit}`);
      return seen.toSorted().join() === wanted.join();
    },
    {
      deadlineMs: SCRAPE_TIMEOUT_MS,
      describe: () =>
        `app_build_info says ${seen.toSorted().join(', ')}; expected ${wanted.join(', ')}`,
    },
  );
}

/** Starts two coaches beside the first and waits until every container is healthy. */
export async function startTwoMoreCoaches(project: ComposeProject): Promise<void> {
  const scale = ['--no-recreate', '--scale', 'more-coaches=2', '--wait', 'more-coaches'];
  await project.compose('up', '--detach', ...scale);
  await project.waitUntilHealthy(SERVICES.length + 2);
}
