/** Steps 2: what a system in use must survive. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@fit/stack/testing';
import type { ComposeProject } from '../composeProject.ts';
import {
  assertJobDone,
  assertTargetsUp,
  assertWorkoutServed,
  SERVICES,
  type Step,
  startTwoMoreCoaches,
} from './stepChecks.ts';

const RESTART_TIMEOUT_MS = 60_000;

const moreCoaches: Step = {
  title: 'three coaches of the same image work beside each other',
  async run({ project }) {
    await startTwoMoreCoaches(project);
    const targets = await assertTargetsUp(project, 3);
    const images = (await project.containers())
      .filter(({ service }) => service.includes('coach'))
      .map(({ imageId }) => imageId);
    assert.equal(images.length, 3);
    assert.equal(new Set(images).size, 1, 'all coaches have the same image');
    return `${targets} targets`;
  },
};

const recreatedCoach: Step = {
  title: 'a coach whose container is recreated has the same ports as before',
  async run({ project }) {
    for (let count = 0; count < 2; count += 1) {
      await project.compose('up', '--detach', '--no-deps', '--force-recreate', '--wait', 'coach');
      const { stdout } = await project.compose('port', 'coach', '12101');
      assert.equal(stdout.trim(), `127.0.0.1:${project.ports.coach}`);
    }
    return undefined;
  },
};

const killedServices: Step = {
  title: 'Docker restarts each service after kill -9',
  async run({ project, report }) {
    for (const service of SERVICES) {
      const startedAt = Date.now();
      const before = await project.container(service);
      // Not `docker kill`, which counts as a stop by the operator, after which Docker restarts nothing.
      process.kill(before.pid, 'SIGKILL');
      await eventually(
        async () => {
          const after = await project.container(service);
          return after.startedAt !== before.startedAt && after.health === 'healthy';
        },
        {
          deadlineMs: service === 'grafana' ? RESTART_TIMEOUT_MS : 2 * RESTART_TIMEOUT_MS,
          describe: async () => `${service} is not back\n${await project.describe()}`,
        },
      );
      report(`${service} is back after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
    }
    await project.waitUntilHealthy(SERVICES.length + 2);
    await assertJobDone(project, 'ben');
    return undefined;
  },
};

const keptData: Step = {
  title: '`down` and `up` keep the data',
  async run({ project, facts }) {
    await project.compose('down');
    assert.equal((await project.containers()).length, 0);
    await project.script('up');
    await project.waitUntilHealthy(SERVICES.length);
    const client = await project.client();
    const { state } = await client.run(facts.get('runId') ?? '');
    assert.equal(state, 'finished');
    await assertWorkoutServed(project, 'ann');
    return undefined;
  },
};

const missingEnvironment: Step = {
  title: 'without .env `logs` answers, and `up` makes no new passwords for volumes that have one',
  async run({ project }) {
    const path = join(project.folder, '.env');
    await rename(path, `${path}.aside`);
    try {
      const { stdout } = await project.script('logs', '--tail', '1', 'monolith');
      assert.notEqual(stdout.trim(), '');
      const refusal = await project.tryRun('./compose.sh', 'up');
      assert.notEqual(refusal.code, 0);
      assert.match(refusal.output, /the volume \S+ was made with one/);
      assert.ok(
        !(await hasPassword(path, project)),
        'a password was made for a volume that has one',
      );
    } finally {
      await rename(`${path}.aside`, path);
    }
    return undefined;
  },
};

export const outageSteps: readonly Step[] = [
  moreCoaches,
  recreatedCoach,
  killedServices,
  keptData,
  missingEnvironment,
];

async function hasPassword(path: string, project: ComposeProject): Promise<boolean> {
  return existsSync(path) && (await project.getVariable('FIT_DATABASE_PASSWORD')) !== '';
}
