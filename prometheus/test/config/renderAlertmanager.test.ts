/** Goal: each alert reaches the right receiver. Method: amtool on the rendered file. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { amtool } from '@fit/stack';
import { parse } from 'yaml';
import { renderAlertmanager } from '../../src/index.ts';
import { renderedFolder } from '../support/renderedFolder.ts';

const ROUTES = [
  { receiver: 'page', labels: ['alertname=QueueNearFull', 'severity=critical'] },
  { receiver: 'ticket', labels: ['alertname=QueueNearFull', 'severity=warning'] },
  { receiver: 'dead-man', labels: ['alertname=Watchdog', 'severity=none'] },
];

test('amtool accepts the configuration, with and without receivers', async (t) => {
  const cwd = await renderedFolder(t);
  const urls = { pageUrl: 'http://p/', ticketUrl: 'http://t/', deadManUrl: 'http://d/' };
  await writeFile(join(cwd, 'told.yml'), renderAlertmanager(urls));
  await writeFile(
    join(cwd, 'bad.yml'),
    renderAlertmanager().replaceAll('page', 'pager+').replace('pager+', 'page'),
  );
  const plain = await amtool(['check-config', 'alertmanager.yml'], { cwd });
  const told = await amtool(['check-config', 'told.yml'], { cwd });
  const bad = await amtool(['check-config', 'bad.yml'], { cwd });
  assert.equal(plain.code, 0, plain.output);
  assert.equal(told.code, 0, told.output);
  assert.notEqual(bad.code, 0, 'a route to a receiver that does not exist');
});

for (const { receiver, labels } of ROUTES)
  test(`${labels.join(', ')} goes to ${receiver}`, async (t) => {
    const cwd = await renderedFolder(t);
    const routing = ['config', 'routes', 'test', '--config.file=alertmanager.yml'];
    const { code, output } = await amtool(
      [...routing, `--verify.receivers=${receiver}`, ...labels],
      {
        cwd,
      },
    );
    assert.equal(code, 0, output);
  });

test('no inhibition mutes alerts merely because neither has a queue', () => {
  const { inhibit_rules: rules } = parse(renderAlertmanager()) as {
    inhibit_rules: { target_matchers: string[]; equal?: string[] }[];
  };
  for (const { target_matchers: targets, equal } of rules) {
    const isNarrow = targets.some((matcher) => matcher.startsWith('alertname='));
    const asksForQueue = targets.includes('queue=~".+"');
    assert.ok(isNarrow || asksForQueue || equal?.includes('alertname'), JSON.stringify(targets));
  }
});
