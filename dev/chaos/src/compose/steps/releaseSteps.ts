/** Steps 3: two releases, the return to the first, the other profile, and the removal. */
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
  SERVICES,
  type Step,
  startTwoMoreCoaches,
} from './stepChecks.ts';

const RULES_FILE = 'prometheus/generated/default/rules/fit.yml';
const ROUTES_FILE = 'prometheus/generated/default/alertmanager.yml';
const BROKER_FILE = 'prometheus/broker/fit.conf';
const FIRST_VERSION = 'check-1';
const SECOND_VERSION = 'check-2';

const ADDED_RULES = `  - name: compose-check
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

/** Reads from the running servers which configuration they have loaded. */
async function readConfiguration(project: ComposeProject): Promise<Configuration> {
  const rules = await project.prometheus.rules();
  const status = await project.requestAlertmanager('/api/v2/status');
  const readHeartbeat = '{ok,H}=application:get_env(rabbit,heartbeat),H.';
  const { stdout } = await project.exec('rabbitmq', 'rabbitmqctl', 'eval', readHeartbeat);
  return {
    hasRule: rules.some(({ name }) => name === 'ComposeCheckRelease'),
    hasReceiver: status.includes('compose-check'),
    heartbeat: stdout.trim(),
  };
}

async function release(project: ComposeProject, version: string, coaches: number): Promise<void> {
  await project.script('release', version);
  await project.waitUntilHealthy(SERVICES.length + coaches - 1);
  const commit = (await project.run('git', 'rev-parse', 'HEAD')).stdout.trim();
  await assertBuild(project, { version, commit, coaches });
}

async function imageIds(project: ComposeProject): Promise<ReadonlySet<string>> {
  const all = await project.containers();
  return new Set(all.filter(({ image }) => image.startsWith('fit-')).map(({ imageId }) => imageId));
}

const firstRelease: Step = {
  title: '`release` runs the commit that is checked out, without restarting the broker',
  async run({ project, facts }) {
    await project.setVariable('FIT_MONITORING', '');
    facts.set('commit', (await project.run('git', 'rev-parse', 'HEAD')).stdout.trim());
    const broker = await project.container('rabbitmq');
    await release(project, FIRST_VERSION, 1);
    assert.equal((await project.container('rabbitmq')).id, broker.id, 'the broker was restarted');
    facts.set('images', [...(await imageIds(project))].sort().join());
    const { hasRule, hasReceiver, heartbeat } = await readConfiguration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [false, false, '10']);
    return undefined;
  },
};

const secondRelease: Step = {
  title: 'a second release runs with its changed rules, routes and broker file',
  async run({ project }) {
    await amendFile(project, RULES_FILE, (text) => `${text}${ADDED_RULES}`);
    await amendFile(project, ROUTES_FILE, (text) => `${text}  - name: compose-check\n`);
    await amendFile(project, BROKER_FILE, (text) =>
      text.replace(/^heartbeat = .*$/m, 'heartbeat = 11'),
    );
    const refusal = await project.tryRun('./compose.sh', 'release', SECOND_VERSION);
    assert.match(refusal.output, /not committed/);
    await project.commit('Change rules, routes and broker file');
    const taken = await project.tryRun('./compose.sh', 'release', FIRST_VERSION);
    assert.match(
      taken.output,
      /another version/,
      'a version that was released from another commit must be refused',
    );
    await release(project, SECOND_VERSION, 1);
    const { hasRule, hasReceiver, heartbeat } = await readConfiguration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [true, true, '11']);
    await assertRulesLoaded(project, RULES_FILE);
    return undefined;
  },
};

const unchangedVersion: Step = {
  title: 'further coaches and a plain `docker compose up` have the released version',
  async run({ project }) {
    await startTwoMoreCoaches(project);
    const before = await project.containers();
    assert.deepEqual(
      [
        ...new Set(before.map(({ image }) => image).filter((image) => image.startsWith('fit-'))),
      ].sort(),
      ['coach', 'cron', 'monolith'].map((name) => `fit-${name}:${SECOND_VERSION}`),
    );
    await project.compose('up', '--detach', '--scale', 'more-coaches=2', '--wait');
    const after = await project.containers();
    assert.deepEqual(
      after.map(({ id }) => id).sort(),
      before.map(({ id }) => id).sort(),
      'a container was recreated',
    );
    // .env sets one coach, so this drains and removes the other two.
    await project.script('up');
    await project.waitUntilHealthy(SERVICES.length);
    return undefined;
  },
};

const returnToFirst: Step = {
  title: 'returning to the first release runs its images as they were built, with its files',
  async run({ project, facts }) {
    await project.run('git', 'checkout', '--quiet', facts.get('commit') ?? '');
    await release(project, FIRST_VERSION, 1);
    assert.equal([...(await imageIds(project))].sort().join(), facts.get('images'));
    const { hasRule, hasReceiver, heartbeat } = await readConfiguration(project);
    assert.deepEqual([hasRule, hasReceiver, heartbeat], [false, false, '10']);
    await assertWorkoutServed(project, 'ann');
    return undefined;
  },
};

const assignmentProfile: Step = {
  title: 'the profile assignment starts after `down -v`',
  async run({ project }) {
    await project.compose('down', '--volumes');
    await project.setVariable('FIT_PROFILE', 'assignment');
    await project.script('up');
    await project.waitUntilHealthy(SERVICES.length);
    await assertTargetsUp(project);
    const rules = await assertRulesLoaded(project, 'prometheus/generated/assignment/rules/fit.yml');
    await assertJobDone(project, 'cleo');
    const { stdout } = await project.exec('rabbitmq', 'rabbitmqctl', 'list_policies', '--silent');
    assert.match(stdout, /"max-length":100\b/, 'the limit of the profile is not on the broker');
    return `${rules} rules`;
  },
};

const removal: Step = {
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
  unchangedVersion,
  returnToFirst,
  assignmentProfile,
  removal,
];

async function amendFile(
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
