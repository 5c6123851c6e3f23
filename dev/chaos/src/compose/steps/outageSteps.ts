/** What a system in use must survive. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@fit/stack/testing';
import type { ComposeProject } from '../composeProject.ts';
import { assertJobDone, assertTargetsUp, assertWorkoutServed } from './facts.ts';
import { SERVICES, type Step } from './step.ts';

const RESTARTED_MS = 60_000;

export const SCALE = [
  ...['up', '--detach', '--no-recreate', '--scale', 'more-coaches=2', '--wait', 'more-coaches'],
] as const;

const scaled: Step = {
  title: 'three coaches work beside each other',
  async run({ project }) {
    await project.compose(...SCALE);
    await project.untilHealthy(SERVICES.length + 2);
    const targets = await assertTargetsUp(project, 3);
    const images = (await project.containers())
      .filter(({ service }) => service.includes('coach'))
      .map(({ imageId }) => imageId);
    assert.equal(images.length, 3);
    assert.equal(new Set(images).size, 1, 'all of one image');
    return `${targets} targets`;
  },
};

const stablePorts: Step = {
  title: 'a coach that is made anew has its former ports',
  async run({ project }) {
    for (let times = 0; times < 2; times += 1) {
      await project.compose('up', '--detach', '--no-deps', '--force-recreate', '--wait', 'coach');
      const { stdout } = await project.compose('port', 'coach', '12101');
      assert.equal(stdout.trim(), `127.0.0.1:${project.ports.coach}`);
    }
    return undefined;
  },
};

const killed: Step = {
  title: 'each service comes back by itself after kill -9',
  async run({ project, say }) {
    for (const service of SERVICES) {
      const startedAt = Date.now();
      const before = await project.container(service);
      kill(before.pid);
      await eventually(
        async () => {
          const after = await project.container(service);
          return after.startedAt !== before.startedAt && after.health === 'healthy';
        },
        {
          deadlineMs: RESTARTED_MS + (service === 'grafana' ? 0 : RESTARTED_MS),
          describe: async () => `${service} is not back\n${await project.describe()}`,
        },
      );
      say(`${service} is back after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
    }
    await project.untilHealthy(SERVICES.length + 2);
    await assertJobDone(project, 'ben');
    return undefined;
  },
};

const kept: Step = {
  title: '`down` and `up` keep the data',
  async run({ project, facts }) {
    await project.compose('down');
    assert.equal((await project.containers()).length, 0);
    await project.script('up');
    await project.untilHealthy(SERVICES.length);
    const client = await project.client();
    const { state } = await client.run(facts.get('runId') ?? '');
    assert.equal(state, 'finished');
    await assertWorkoutServed(project, 'ann');
    return undefined;
  },
};

const envLost: Step = {
  title: 'without .env `logs` and `ps` answer, and no new passwords are made over old volumes',
  async run({ project }) {
    const path = join(project.folder, '.env');
    await rename(path, `${path}.aside`);
    try {
      const { stdout } = await project.script('logs', '--tail', '1', 'monolith');
      assert.notEqual(stdout.trim(), '');
      const refusal = await project.tryRun('./compose.sh', 'up');
      assert.notEqual(refusal.code, 0);
      assert.match(refusal.output, /the volume \S+ was made with one/);
      assert.ok(!(await hasPassword(path, project)), 'a password was made over an old volume');
    } finally {
      await rename(`${path}.aside`, path);
    }
    return undefined;
  },
};

export const outageSteps: readonly Step[] = [scaled, stablePorts, killed, kept, envLost];

/** As the kernel would: `docker kill` would count as a stop that somebody wanted. */
function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}

async function hasPassword(path: string, project: ComposeProject): Promise<boolean> {
  return existsSync(path) && (await project.get('FIT_DATABASE_PASSWORD')) !== '';
}
