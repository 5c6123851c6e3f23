/** Releases, the way back, and the other profile. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComposeProject } from '../composeProject.ts';
import {
  assertBuild,
  assertJobDone,
  assertRulesLoaded,
  assertTargetsUp,
  assertWorkoutServed,
} from './facts.ts';
import { SCALE } from './outageSteps.ts';
import { SERVICES, type Step } from './step.ts';

const RULES = 'prometheus/generated/default/rules/fit.yml';
const ROUTES = 'prometheus/generated/default/alertmanager.yml';
const BROKER = 'prometheus/broker/fit.conf';
const [FIRST, SECOND] = ['check-1', 'check-2'];

const CHANGED_RULES = `  - name: compose-check
    rules:
      - alert: ComposeCheckRelease
        expr: vector(0) > 1
        labels: { severity: info }
`;

interface Configuration {
  readonly hasRule: boolean;
  readonly hasReceiver: boolean;
  readonly heartbeat: string;
}

/** What the running servers say that they were configured with. */
async function configuration(project: ComposeProject): Promise<Configuration> {
  const rules = await project.prometheus.rules();
  const status = await project.askAlertmanager('/api/v2/status');
  const ask = ['rabbitmqctl', 'eval', '{ok,H}=application:get_env(rabbit,heartbeat),H.'];
  const { stdout } = await project.compose('exec', '-T', 'rabbitmq', ...ask);
  return {
    hasRule: rules.some(({ name }) => name === 'ComposeCheckRelease'),
    hasReceiver: status.includes('compose-check'),
    heartbeat: stdout.trim(),
  };
}

async function release(project: ComposeProject, version: string, coaches: number): Promise<void> {
  await project.script('release', version);
  await project.untilHealthy(SERVICES.length + coaches - 1);
  const commit = (await project.run('git', 'rev-parse', 'HEAD')).stdout.trim();
  await assertBuild(project, { version, commit, coaches });
}

async function imageIds(project: ComposeProject): Promise<ReadonlySet<string>> {
  const all = await project.containers();
  return new Set(all.filter(({ image }) => image.startsWith('fit-')).map(({ imageId }) => imageId));
}

const firstRelease: Step = {
  title: 'a release is made of the commit that is checked out',
  async run({ project, facts }) {
    await project.set('FIT_MONITORING', '');
    facts.set('commit', (await project.run('git', 'rev-parse', 'HEAD')).stdout.trim());
    const broker = await project.container('rabbitmq');
    await release(project, FIRST, 1);
    assert.equal(
      (await project.container('rabbitmq')).id,
      broker.id,
      'the broker was not to restart',
    );
    facts.set('images', [...(await imageIds(project))].sort().join());
    const { hasRule, hasReceiver, heartbeat } = await configuration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [false, false, '10']);
    return undefined;
  },
};

const secondRelease: Step = {
  title: 'a release with changed rules, routes and broker file brings all of them',
  async run({ project }) {
    await amend(project, RULES, (text) => `${text}${CHANGED_RULES}`);
    await amend(project, ROUTES, (text) => `${text}  - name: compose-check\n`);
    await amend(project, BROKER, (text) => text.replace(/^heartbeat = .*$/m, 'heartbeat = 11'));
    const refusal = await project.tryRun('./compose.sh', 'release', SECOND);
    assert.match(refusal.output, /not committed/);
    await project.commit('Change rules, routes and broker file');
    const taken = await project.tryRun('./compose.sh', 'release', FIRST);
    assert.match(taken.output, /another version/, 'a version keeps its commit');
    await release(project, SECOND, 1);
    const { hasRule, hasReceiver, heartbeat } = await configuration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [true, true, '11']);
    await assertRulesLoaded(project, RULES);
    return undefined;
  },
};

const keptVersion: Step = {
  title: 'more coaches and a plain `docker compose up` keep the version',
  async run({ project }) {
    await project.compose(...SCALE);
    await project.untilHealthy(SERVICES.length + 2);
    const before = await project.containers();
    assert.deepEqual(
      [
        ...new Set(before.map(({ image }) => image).filter((image) => image.startsWith('fit-'))),
      ].sort(),
      ['coach', 'cron', 'monolith'].map((name) => `fit-${name}:${SECOND}`),
    );
    await project.compose('up', '--detach', '--scale', 'more-coaches=2', '--wait');
    const after = await project.containers();
    assert.deepEqual(
      after.map(({ id }) => id).sort(),
      before.map(({ id }) => id).sort(),
      'nothing was made anew',
    );
    // As many as .env says, which is none beside the first; the two were drained.
    await project.script('up');
    await project.untilHealthy(SERVICES.length);
    return undefined;
  },
};

const wayBack: Step = {
  title: 'the way back: the former commit, its images as they were built, its files',
  async run({ project, facts }) {
    await project.run('git', 'checkout', '--quiet', facts.get('commit') ?? '');
    await release(project, FIRST, 1);
    assert.equal([...(await imageIds(project))].sort().join(), facts.get('images'));
    const { hasRule, hasReceiver, heartbeat } = await configuration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [false, false, '10']);
    await assertWorkoutServed(project, 'ann');
    return undefined;
  },
};

const assignment: Step = {
  title: 'the profile assignment after `down -v`',
  async run({ project }) {
    await project.compose('down', '--volumes');
    await project.set('FIT_PROFILE', 'assignment');
    await project.script('up');
    await project.untilHealthy(SERVICES.length);
    await assertTargetsUp(project);
    const rules = await assertRulesLoaded(project, 'prometheus/generated/assignment/rules/fit.yml');
    await assertJobDone(project, 'cleo');
    const ask = ['rabbitmqctl', 'list_policies', '--silent'];
    const { stdout } = await project.compose('exec', '-T', 'rabbitmq', ...ask);
    assert.match(stdout, /"max-length":100\b/, 'the limit of the profile');
    return `${rules} rules`;
  },
};

const stopped: Step = {
  title: '`down -v` leaves no container and no volume',
  async run({ project }) {
    await project.script('down', '--volumes');
    assert.equal((await project.containers()).length, 0);
    const filter = `label=com.docker.compose.project=${project.name}`;
    const { stdout } = await project.run('docker', 'volume', 'ls', '--quiet', '--filter', filter);
    assert.equal(stdout.trim(), '');
    return undefined;
  },
};

export const releaseSteps: readonly Step[] = [
  firstRelease,
  secondRelease,
  keptVersion,
  wayBack,
  assignment,
  stopped,
];

async function amend(
  project: ComposeProject,
  path: string,
  change: (text: string) => string,
): Promise<void> {
  const file = join(project.folder, path);
  const before = await readFile(file, 'utf8');
  const after = change(before);
  assert.notEqual(after, before, path);
  await writeFile(file, after);
}
