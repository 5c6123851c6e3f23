/**
 * Goal: a page reaches every way that was given for it, the secret one read from its copy, and says what happened and what to do
 * first. Method: a real Alertmanager, with servers in the place of the webhook, of Slack and of the mail.
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

const PAGE = {
  labels: { alertname: 'QueueMissing', severity: 'critical' },
  annotations: {
    summary: 'Queue a is declared but not on the broker',
    description: 'Jobs routed to it are returned',
    remedy: 'Restart the monolith',
    runbook_url: 'https://wiki.example.org/QueueMissing.md',
  },
};
const TICKET = { labels: { alertname: 'QueueUndeclared', severity: 'info' } };

test('webhook, Slack and e-mail hear of a page, each with what to do first, and none of a ticket', async (t) => {
  const heard = new Map<string, string>();
  const base = await openServer(t, heard);
  const mail = await MailSink.open();
  t.after(() => mail.close());
  const stack = await startTold(t, {
    ALERT_PAGE_URL: `${base}/webhook`,
    ALERT_PAGE_SLACK_CHANNEL: '#page',
    ALERT_PAGE_EMAIL: 'page@example.org',
    ALERT_SMTP_HOST: mail.address,
    ALERT_SMTP_FROM: 'fit@example.org',
    slack: `${base}/slack`,
  });

  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([TICKET, PAGE]),
  });
  assert.equal(response.status, 200);

  await eventually(() => heard.size + mail.mails.length >= 3, {
    deadlineMs: 20_000,
    describe: () => `heard at ${[...heard.keys()].join()} and by ${mail.mails.length} mails`,
  });
  assert.deepEqual([...heard.keys()].sort(), ['/slack', '/webhook']);
  assert.equal(mail.mails.length, 1);
  const told = { ...Object.fromEntries(heard), mail: mail.mails[0] ?? '' };
  for (const [way, body] of Object.entries(told)) {
    assert.ok(!body.includes('QueueUndeclared'), way);
    for (const part of ['QueueMissing', 'critical', ...Object.values(PAGE.annotations)])
      assert.ok(body.includes(part), `${part} is not in what ${way} got: ${body}`);
  }
});

/** In the place of the webhook and of Slack: the last body of each path. */
async function openServer(t: TestContext, heard: Map<string, string>): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.set(request.url ?? '', body);
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

async function startTold(
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

/** The sink has no certificate; nobody else is sent anything in the clear. */
async function allowPlainMail(path: string): Promise<void> {
  const config = await readFile(path, 'utf8');
  await writeFile(path, config.replace('global:\n', 'global:\n  smtp_require_tls: false\n'));
}
