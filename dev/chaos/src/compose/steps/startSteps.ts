/** Steps 1: from a clone to a system in use. */
import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { eventually } from '@fit/stack/testing';
import type { ComposeProject } from '../composeProject.ts';
import { REPOSITORY } from '../standInImages.ts';
import {
  assertBuild,
  assertJobDone,
  assertRulesLoaded,
  assertTargetsUp,
  SERVICES,
  type Step,
} from './stepChecks.ts';

const OWNER_ONLY = 0o600;
const NOTIFICATION_TIMEOUT_MS = 60_000;

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

const secrets: Step = {
  title:
    'passwords are made once, readable by their owner alone, and a value with spaces and stars is kept',
  async run({ project }) {
    const refusal = await project.tryRun('docker', 'compose', 'up', '--detach');
    assert.notEqual(refusal.code, 0, 'containers were started without .env');
    assert.match(refusal.output, /\.\/compose\.sh up/);
    await project.script('ps');

    await project.script('env');
    const path = join(project.folder, '.env');
    assert.equal(await modeOf(path), OWNER_ONLY);
    await project.setVariable('CRON_SCHEDULE', '0 4 * * *');
    await project.useFreePorts();
    const before = await readFile(path, 'utf8');
    await project.script('env');
    assert.equal(await readFile(path, 'utf8'), before, 'a second run changed .env');

    const { stdout: config } = await project.compose('config', '--format', 'json');
    assert.equal(
      (JSON.parse(config) as { services: { cron: { environment: Record<string, string> } } })
        .services.cron.environment['CRON_SCHEDULE'],
      '0 4 * * *',
    );
    return undefined;
  },
};

const firstStart: Step = {
  title: '`up` builds and starts a clone that was made under umask 077',
  async run({ project }) {
    for (const path of ['Dockerfile', 'prometheus/broker/fit.conf', 'monolith/src/main.ts'])
      assert.equal(await modeOf(join(project.folder, path)), OWNER_ONLY, `mode of ${path}`);
    await project.script('up');
    await project.waitUntilHealthy(SERVICES.length);
    const response = await fetch(`http://127.0.0.1:${project.ports.monolith}/runbooks/Watchdog.md`);
    assert.equal(response.status, 200, 'the image contains no runbook');
    const shell = ['set -eu', 'eval "$(./compose.sh shell)"', 'printf %s "$AUTH"'].join('\n');
    const { stdout } = await project.run('sh', '-c', shell);
    const runs = await fetch(`http://127.0.0.1:${project.ports.monolith}/runs`, {
      headers: { authorization: stdout.replace(/^authorization: /, '') },
    });
    assert.equal(runs.status, 200, 'the token of the shell is refused');
    return `${SERVICES.length} services healthy`;
  },
};

const monitoring: Step = {
  title: 'every target of Prometheus is up, and every rule is loaded',
  async run({ project }) {
    const targets = await assertTargetsUp(project);
    const rules = await assertRulesLoaded(project, 'prometheus/generated/default/rules/fit.yml');
    return `${targets} targets, ${rules} rules`;
  },
};

const oneJob: Step = {
  title: 'a job is done and its workout served',
  async run({ project, facts }) {
    facts.set('runId', await assertJobDone(project, 'ann'));
    return undefined;
  },
};

const identity: Step = {
  title: 'each process exports version and commit, and the coach does not have the secret of cron',
  async run({ project }) {
    const commit = (await project.run('git', 'rev-parse', 'HEAD')).stdout.trim();
    await assertBuild(project, { version: 'dev', commit, coaches: 1 });
    const secret = await project.getVariable('FIT_CRON_SECRET');
    const { id } = await project.container('coach');
    const { stdout } = await project.run('docker', 'inspect', id);
    assert.ok(!stdout.includes(secret), 'the secret of cron is in the environment of the coach');
    return undefined;
  },
};

const receivers: Step = {
  title:
    'a receiver with a secret of mode 0600 is notified, and only the containers of the monitoring are recreated',
  async run({ project }) {
    const { stdout } = await project.run(
      'docker',
      'network',
      'inspect',
      `${project.name}_default`,
      '--format',
      '{{(index .IPAM.Config 0).Gateway}}',
    );
    const slack = await openSlackServer(stdout.trim());
    try {
      const secret = join(project.folder, 'slack-url');
      await writeFile(secret, slack.url);
      await chmod(secret, OWNER_ONLY);
      const before = await project.containers();
      await project.run(
        'env',
        'ALERT_CRITICAL_SLACK_CHANNEL=#page',
        `ALERT_SLACK_URL_FILE=${secret}`,
        process.execPath,
        join(REPOSITORY, 'prometheus/src/generate.ts'),
        '.stack/monitoring',
      );
      assert.equal(await modeOf(join(project.folder, '.stack/monitoring')), 0o700);
      await project.setVariable('FIT_MONITORING', './.stack/monitoring');
      await project.script('up');
      await project.waitUntilHealthy(SERVICES.length);
      const after = await project.containers();
      const recreated = after.filter(({ id }) => !before.some((container) => container.id === id));
      assert.deepEqual(recreated.map(({ service }) => service).sort(), [
        'alertmanager',
        'grafana',
        'prometheus',
      ]);
      await fireAlert(project);
      await eventually(() => slack.bodies.some((body) => body.includes('ComposeCheck')), {
        deadlineMs: NOTIFICATION_TIMEOUT_MS,
        describe: async () => (await project.compose('logs', 'alertmanager')).output.slice(-2_000),
      });
    } finally {
      slack.close();
    }
    return undefined;
  },
};

export const startSteps: readonly Step[] = [
  secrets,
  firstStart,
  monitoring,
  oneJob,
  identity,
  receivers,
];

async function fireAlert(project: ComposeProject): Promise<void> {
  const alerts = [{ labels: { alertname: 'ComposeCheck', severity: 'critical' } }];
  await project.requestAlertmanager(
    '/api/v2/alerts',
    '--header',
    'content-type: application/json',
    '--post-data',
    JSON.stringify(alerts),
  );
}

/** Opens a server in the place of Slack, at this machine's address in the project's network. */
async function openSlackServer(host: string) {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}/slack`,
    bodies,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
