/**
 * Goal: a critical alert reaches every channel of its receiver and says what happened and what to do first; the secret of Slack is
 * read from its copy. Method: a real Alertmanager, with test servers for webhook, Slack and mail.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { Stack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { readReceivers, SHORT_WINDOWS } from '../../src/index.ts';
import { MailSink } from '../support/mailSink.ts';
import { startAlertmanager } from '../support/startAlertmanager.ts';

const CRITICAL_ALERT = {
  labels: { alertname: 'TopologyDrift', severity: 'critical' },
  annotations: {
    summary: 'Queue a is declared but not on the broker',
    description: 'Jobs routed to it are returned',
    remedy: 'Restart the monolith',
    runbook_url: 'https://wiki.example.org/TopologyDrift.md',
  },
};
const WARNING_ALERT = { labels: { alertname: 'RetryStorm', severity: 'warning' } };

test('webhook, Slack and e-mail get a critical alert with its first step, and no warning', async (t) => {
  const received = new Map<string, string>();
  const base = await openServer(t, received);
  const mail = await MailSink.open();
  t.after(() => mail.close());
  const stack = await startWithReceivers(t, {
    ALERT_CRITICAL_URL: `${base}/webhook`,
    ALERT_CRITICAL_SLACK_CHANNEL: '#critical',
    ALERT_CRITICAL_EMAIL: 'critical@example.org',
    ALERT_SMTP_HOST: mail.address,
    ALERT_SMTP_FROM: 'fit@example.org',
    slack: `${base}/slack`,
  });

  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([WARNING_ALERT, CRITICAL_ALERT]),
  });
  assert.equal(response.status, 200);

  await eventually(() => received.size + mail.mails.length >= 3, {
    deadlineMs: 20_000,
    describe: () => `received at ${[...received.keys()].join()} and by ${mail.mails.length} mails`,
  });
  assert.deepEqual([...received.keys()].sort(), ['/slack', '/webhook']);
  assert.equal(mail.mails.length, 1);
  const messages = { ...Object.fromEntries(received), mail: mail.mails[0] ?? '' };
  for (const [channel, body] of Object.entries(messages)) {
    assert.ok(!body.includes('RetryStorm'), channel);
    for (const part of ['TopologyDrift', 'critical', ...Object.values(CRITICAL_ALERT.annotations)])
      assert.ok(body.includes(part), `${part} is not in the message at ${channel}: ${body}`);
  }
});

/** A server for the webhook and Slack that keeps the last body of each path. */
async function openServer(t: TestContext, received: Map<string, string>): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.set(request.url ?? '', body);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startWithReceivers(
  t: TestContext,
  { slack, ...environment }: Readonly<Record<string, string>> & { readonly slack: string },
): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-secret-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const secret = join(folder, 'slack');
  await writeFile(secret, slack);
  await chmod(secret, 0o600);
  return await startAlertmanager(t, {
    windows: SHORT_WINDOWS,
    receivers: readReceivers({ ...environment, ALERT_SLACK_URL_FILE: secret }),
    amend: allowPlainMail,
  });
}

/** The test server for mail has no certificate. */
async function allowPlainMail(path: string): Promise<void> {
  const config = await readFile(path, 'utf8');
  await writeFile(path, config.replace('global:\n', 'global:\n  smtp_require_tls: false\n'));
}
