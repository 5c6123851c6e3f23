/**
 * Goal: the status marks alerts that an Alertmanager with a password suppresses. Method: a real Prometheus with a rule that
 * always fires, a real Alertmanager, and a silence.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALERTMANAGER_LOGIN, freePorts, startStack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { readAlerts } from '../../src/status/alertReport.ts';

// The alert fires after Prometheus has found Alertmanager: one that was sent before is sent again only in a minute.
const RULE = { alert: 'AlwaysFires', expr: 'vector(1)', for: '15s' };
const RULES = { groups: [{ name: 'test', interval: '1s', rules: [RULE] }] };

test('a silenced alert is marked as suppressed; without the password no alert is', async (t) => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  const ports = await freePorts();
  const config = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
  t.after(() => rm(config, { recursive: true, force: true }));
  const { username, passwordFile } = ALERTMANAGER_LOGIN;
  const alertmanager = {
    basic_auth: { username, password_file: passwordFile },
    static_configs: [{ targets: [`127.0.0.1:${ports.alertmanager}`] }],
  };
  // Every JSON document is a YAML document.
  await writeFile(
    join(config, 'prometheus.yml'),
    JSON.stringify({ rule_files: ['rules.yml'], alerting: { alertmanagers: [alertmanager] } }),
  );
  await writeFile(join(config, 'rules.yml'), JSON.stringify(RULES));
  const stack = await startStack({
    name,
    folder,
    ports,
    prometheusConfigFolder: config,
    servers: ['prometheus', 'alertmanager'],
    hasPasswords: true,
  });
  t.after(() => stack.stop({ purge: true }));

  const { prometheusUrl = '', alertmanagerUrl = '' } = stack;
  const { origin, password } = new URL(alertmanagerUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const silence = {
    matchers: [{ name: 'alertname', value: 'AlwaysFires', isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 600_000).toISOString(),
    createdBy: 'test',
    comment: 'none',
  };
  const reply = await fetch(`${origin}/api/v2/silences`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(silence),
  });
  assert.equal(reply.status, 200, await reply.text());

  const suppressed = async (url: string): Promise<[string, string | null][]> => {
    const { firing } = await readAlerts({ prometheusUrl, alertmanagerUrl: url });
    return firing.map(({ name: alert, suppression }) => [alert, suppression]);
  };
  await eventually(async () => (await suppressed(alertmanagerUrl))[0]?.[1] === 'silenced', {
    deadlineMs: 120_000,
    describe: async () => JSON.stringify(await suppressed(alertmanagerUrl)),
  });
  assert.deepEqual(await suppressed(alertmanagerUrl), [['AlwaysFires', 'silenced']]);
  assert.deepEqual(await suppressed(origin), [['AlwaysFires', null]]);
});
