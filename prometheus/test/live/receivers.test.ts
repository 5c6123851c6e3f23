/**
 * Goal: a page reaches both ways that were given for it, the secret one read from its copy. Method: a real Alertmanager, with
 * a server in the place of the webhook and of Slack.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { freePorts, startStack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import {
  nativeTargets,
  readReceivers,
  SHORT_WINDOWS,
  writeMonitoringConfig,
} from '../../src/index.ts';

test('webhook and Slack both hear of a page, and neither of a ticket', async (t) => {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
  const secret = join(folder, 'slack');
  await writeFile(secret, `${base}/slack`);
  await chmod(secret, 0o644);
  const ports = await freePorts();
  await writeMonitoringConfig(folder, {
    ...{ declaration: fitTopology({ profile: 'default' }), targets: nativeTargets(ports) },
    windows: SHORT_WINDOWS,
    receivers: readReceivers({
      ALERT_PAGE_URL: `${base}/webhook`,
      ALERT_PAGE_SLACK_CHANNEL: '#page',
      ALERT_SLACK_URL_FILE: secret,
    }),
  });
  const stack = await startStack({
    ...{ name, folder: join(tmpdir(), `fit-stack-${name}`), ports },
    services: ['alertmanager'],
    prometheusConfigFolder: folder,
  });
  t.after(async () => {
    await stack.stop({ purge: true });
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([
      { labels: { alertname: 'QueueUndeclared', severity: 'info' } },
      { labels: { alertname: 'QueueMissing', severity: 'critical' } },
    ]),
  });
  assert.equal(response.status, 200);

  await eventually(() => heard.length >= 2, {
    deadlineMs: 20_000,
    describe: () => `heard at ${heard.join()}`,
  });
  assert.deepEqual([...heard].sort(), ['/slack', '/webhook']);
});
