/** Goal: each alert reaches the right receiver by every channel. Method: amtool on the rendered file. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { amtool } from '@fit/stack';
import { parse } from 'yaml';
import {
  COMPOSE_TARGETS,
  readReceivers,
  renderAlertmanager,
  writeMonitoringConfig,
} from '../../src/index.ts';
import { renderedFolder } from '../support/renderedFolder.ts';

const ROUTES = [
  { receiver: 'critical', labels: ['alertname=QueueNearFull', 'severity=critical'] },
  { receiver: 'warning', labels: ['alertname=QueueNearFull', 'severity=warning'] },
  { receiver: 'watchdog', labels: ['alertname=Watchdog', 'severity=none'] },
];

const CHANNELS: readonly Readonly<Record<string, string>>[] = [
  { ALERT_CRITICAL_URL: 'http://critical/', ALERT_WARNING_URL: 'http://warning/' },
  { ALERT_SLACK_URL_FILE: '/run/slack', ALERT_CRITICAL_SLACK_CHANNEL: '#critical' },
  {
    ALERT_WARNING_EMAIL: 'team@example.org',
    ALERT_SMTP_HOST: 'mail.example.org:587',
    ALERT_SMTP_FROM: 'fit@example.org',
    ALERT_SMTP_USERNAME: 'fit',
    ALERT_SMTP_PASSWORD_FILE: '/run/smtp',
  },
  { ALERT_WATCHDOG_URL: 'https://watch.example.org/fit' },
];

/** Every combination of channels, none included. */
const COMBINATIONS = CHANNELS.reduce<readonly Readonly<Record<string, string>>[]>(
  (all, channel) => [...all, ...all.map((one) => ({ ...one, ...channel }))],
  [{}],
);

test('amtool accepts every combination of receivers, and refuses a route to an unknown one', async (t) => {
  const cwd = await renderedFolder(t);
  assert.equal(COMBINATIONS.length, 16);
  const files = COMBINATIONS.map((_, index) => `receivers-${index}.yml`);
  for (const [index, environment] of COMBINATIONS.entries())
    await writeFile(join(cwd, files[index]!), renderAlertmanager(readReceivers(environment)));
  const { code, output } = await amtool(['check-config', ...files], { cwd });
  assert.equal(code, 0, output);

  const lost = renderAlertmanager().replace('receiver: critical', 'receiver: nobody');
  await writeFile(join(cwd, 'lost.yml'), lost);
  assert.notEqual((await amtool(['check-config', 'lost.yml'], { cwd })).code, 0);
});

test('each channel is at the receiver that it was given for, and at no other', () => {
  const environment = Object.assign({}, ...CHANNELS) as Record<string, string>;
  const { receivers, global } = parse(renderAlertmanager(readReceivers(environment))) as {
    receivers: Record<string, unknown>[];
    global: Record<string, string>;
  };
  const channels = receivers.map(({ name, ...rest }) => [name, Object.keys(rest).sort()]);
  assert.deepEqual(Object.fromEntries(channels), {
    warning: ['email_configs', 'webhook_configs'],
    critical: ['slack_configs', 'webhook_configs'],
    watchdog: ['webhook_configs'],
  });
  assert.equal(global['slack_api_url_file'], '/etc/alertmanager/secrets/slack-url');
  assert.equal(global['smtp_auth_password_file'], '/etc/alertmanager/secrets/smtp-password');
});

test('a secret is copied beside the configuration and is not in it; one that cannot be read is named', async (t) => {
  const folder = await renderedFolder(t);
  const source = join(folder, 'given');
  await writeFile(source, 'https://hooks.example.org/secret');
  const options = { declaration: fitTopology({ profile: 'default' }), targets: COMPOSE_TARGETS };
  const environment = { ALERT_CRITICAL_SLACK_CHANNEL: '#critical', ALERT_SLACK_URL_FILE: source };

  await writeMonitoringConfig(folder, { ...options, receivers: readReceivers(environment) });

  const text = await readFile(join(folder, 'alertmanager.yml'), 'utf8');
  assert.ok(!text.includes('hooks.example.org') && !text.includes(source));
  const copy = await readFile(join(folder, 'secrets/slack-url'), 'utf8');
  assert.equal(copy, 'https://hooks.example.org/secret');
  const receivers = readReceivers({ ...environment, ALERT_SLACK_URL_FILE: `${source}-not` });
  await assert.rejects(writeMonitoringConfig(folder, { ...options, receivers }), {
    name: 'ReceiverError',
    message: /^ALERT_SLACK_URL_FILE='.*given-not' cannot be copied: .*ENOENT/,
  });
  await writeFile(`${source}-empty`, '\n');
  const empty = readReceivers({ ...environment, ALERT_SLACK_URL_FILE: `${source}-empty` });
  await assert.rejects(writeMonitoringConfig(folder, { ...options, receivers: empty }), {
    name: 'ReceiverError',
    message: /^ALERT_SLACK_URL_FILE='.*given-empty' cannot be copied: .*the file is empty/,
  });
  // Neither attempt has changed the first copy or left a temporary file.
  assert.equal(await readFile(join(folder, 'secrets/slack-url'), 'utf8'), copy);
  assert.deepEqual(await readdir(join(folder, 'secrets')), ['slack-url']);
});

for (const { receiver, labels } of ROUTES)
  test(`${labels.join(', ')} goes to ${receiver}`, async (t) => {
    const cwd = await renderedFolder(t);
    const routing = ['config', 'routes', 'test', '--config.file=alertmanager.yml'];
    const verify = `--verify.receivers=${receiver}`;
    const { code, output } = await amtool([...routing, verify, ...labels], { cwd });
    assert.equal(code, 0, output);
  });

test('no inhibition mutes an alert only because both have no queue', () => {
  const { inhibit_rules: rules } = parse(renderAlertmanager()) as {
    inhibit_rules: { target_matchers: string[]; equal?: string[] }[];
  };
  for (const { target_matchers: targets, equal } of rules) {
    const isNarrow = targets.some((matcher) => matcher.startsWith('alertname='));
    const asksForQueue = targets.includes('queue=~".+"');
    assert.ok(isNarrow || asksForQueue || equal?.includes('alertname'), JSON.stringify(targets));
  }
});
