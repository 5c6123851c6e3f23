/** Questions that several steps ask the running system. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { followRun } from '@fit/client';
import { eventually } from '@fit/stack/testing';
import type { ComposeProject } from '../composeProject.ts';

const RUN_MS = 120_000;
const SCRAPED_MS = 90_000;

/** Of the last two scrapes alone: what vanished while Prometheus was down is in its answers for five minutes. */
const fresh = (series: string): string => `${series} and time() - timestamp(${series}) < 11`;

/** Every job of prometheus.yml is scraped and answers. @returns how many targets there are. */
export async function assertTargetsUp(project: ComposeProject, coaches = 1): Promise<number> {
  let seen: string[] = [];
  const expected = [
    ...['alertmanager', 'cron', 'monolith', 'prometheus', 'rabbitmq', 'rabbitmq-queues'],
    ...Array.from({ length: coaches }, () => 'coach'),
  ].sort();
  return await eventually(
    async () => {
      const series = await project.prometheus.query(fresh('up'));
      seen = series.map(
        ({ metric, values }) => `${metric['job']}${values[0] === 1 ? '' : ' down'}`,
      );
      return seen.toSorted().join() === expected.join() && seen.length;
    },
    {
      deadlineMs: SCRAPED_MS,
      describe: () => `targets ${seen.toSorted().join(', ')}; expected ${expected.join(', ')}`,
    },
  );
}

/** The rules of the mounted file are loaded, each without an error. @returns how many. */
export async function assertRulesLoaded(project: ComposeProject, path: string): Promise<number> {
  const text = await readFile(join(project.folder, path), 'utf8');
  const expected = [...text.matchAll(/^ +-? ?(?:alert|record): /gm)].length;
  assert.ok(expected > 30, `${path} has ${expected} rules`);
  let seen = '';
  return await eventually(
    async () => {
      const rules = await project.prometheus.rules();
      const ailing = rules.filter(({ health }) => health !== 'ok');
      seen = `${rules.length} rules, ${ailing.length} not evaluated: ${ailing[0]?.lastError ?? ''}`;
      return rules.length === expected && ailing.length === 0 && expected;
    },
    { deadlineMs: SCRAPED_MS, describe: () => `${seen}; ${path} has ${expected}` },
  );
}

/** A member's workout is made and served by the coach. @returns the run's id. */
export async function assertJobDone(project: ComposeProject, user: string): Promise<string> {
  const client = await project.client();
  await client.createUsers([{ id: user, level: 'rx', equipment: ['barbell'] }]);
  const { runId } = await client.generateWods();
  const status = await followRun({ client, runId, waitMs: RUN_MS, onProgress: () => undefined });
  assert.equal(status.states['done'], status.total, JSON.stringify(status));
  await assertWorkoutServed(project, user);
  return runId;
}

export async function assertWorkoutServed(project: ComposeProject, user: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${project.ports.coach}/wods/${user}`);
  assert.equal(response.status, 200, `the coach's answer for ${user}: ${await response.text()}`);
}

/** What the processes say of themselves, as Prometheus has it. */
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
      const series = await project.prometheus.query(fresh('app_build_info'));
      seen = series.map(({ metric: { job, version, commit } }) => `${job} ${version} ${commit}`);
      return seen.toSorted().join() === wanted.join();
    },
    {
      deadlineMs: SCRAPED_MS,
      describe: () =>
        `app_build_info says ${seen.toSorted().join(', ')}; expected ${wanted.join(', ')}`,
    },
  );
}
