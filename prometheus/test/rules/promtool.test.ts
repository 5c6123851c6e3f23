/**
 * Goal: Prometheus accepts the rules, and each alert fires, stays quiet and recovers. Method: promtool on the rendered files; the
 * cases are the *.test.yml beside this file. mutations.test.ts shows that they fail on wrong rules.
 */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fitTopology, PROFILES } from '@fit/contract';
import { promtool } from '@fit/stack';
import { planTopology } from '@fit/topology';
import { listRules } from '../../src/index.ts';
import { firesAndRecovers, readAlertCases } from '../support/alertCases.ts';
import { renderedFolder } from '../support/renderedFolder.ts';

const CASES = globSync(join(import.meta.dirname, '*.test.yml'));

for (const profile of PROFILES)
  test(`promtool accepts rules and scrapes of the profile ${profile}`, async (t) => {
    const cwd = await renderedFolder(t, profile);
    const rules = ['check', 'rules', '--lint=all', '--lint-fatal', 'rules/fit.yml'];
    for (const args of [rules, ['check', 'config', 'prometheus.yml']]) {
      const { code, output } = await promtool(args, { cwd });
      assert.equal(code, 0, output);
    }
  });

for (const file of CASES)
  test(`the cases of ${basename(file)} hold`, async (t) => {
    const cwd = await renderedFolder(t);
    await copyFile(file, join(cwd, basename(file)));
    const { code, output } = await promtool(['test', 'rules', basename(file)], { cwd });
    assert.equal(code, 0, output);
  });

test('each severity of each alert is quiet, then firing, then quiet again in one case', async () => {
  const texts = await Promise.all(CASES.map((file) => readFile(file, 'utf8')));
  const cases = texts.flatMap((text) => readAlertCases(text));
  const plan = planTopology(fitTopology({ profile: 'default' }), {
    version: '4.3.6',
    hasManagement: true,
  });
  const unseen = listRules(plan).flatMap((rule) => {
    // The Watchdog always fires.
    if (!('alert' in rule) || rule.alert === 'Watchdog') return [];
    const isSeen = cases.some((one) => firesAndRecovers(one, rule.alert, rule.labels));
    return isSeen ? [] : [`${rule.alert} ${JSON.stringify(rule.labels)}`];
  });
  assert.deepEqual(unseen, []);
});
