/** Goal: every alert is raised by a played fault, or FAULTS.md says why not. Method: the campaign's faults against the rules. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULTS } from '../../../dev/chaos/src/alerts/faults/index.ts';
import { RULES } from '../support/watchedSeries.ts';

const ALERTS = new Set(RULES.flatMap((rule) => ('alert' in rule ? [rule.alert] : [])));
const EXPECTED = new Set(FAULTS.flatMap(({ expected }) => expected.map(alertOf)));
const TEXT = await readFile(join(import.meta.dirname, '../../FAULTS.md'), 'utf8');
const [MATRIX = '', REST = ''] = TEXT.split('<!-- /alerts:matrix -->');

/** 'NoConsumers critical' → 'NoConsumers'. */
function alertOf(name: string): string {
  return name.split(' ')[0] ?? '';
}

test('each alert is expected of a fault, or listed among those that no fault raises', () => {
  const [paragraph = ''] = REST.trim().split('\n\n');
  const notRaised = [...paragraph.matchAll(/\b([A-Z][a-z]+[A-Z]\w+|Watchdog)\b/g)].map(
    ([name]) => name,
  );
  assert.deepEqual([...EXPECTED, ...notRaised].sort(), [...ALERTS].sort());
});

test('each fault raises an alert, or silences the Watchdog', () => {
  for (const { name, expected, silencesWatchdog } of FAULTS)
    assert.ok(expected.length > 0 || silencesWatchdog, name);
});

test('the table names only alerts that exist', () => {
  const names = [...MATRIX.matchAll(/\| \*{0,2}([A-Z]\w+) (?:critical|warning|silent)/g)];
  for (const [, name = ''] of names) assert.ok(ALERTS.has(name), name);
});

test('the table describes every fault', () => {
  for (const { name, description } of FAULTS)
    assert.ok(MATRIX.includes(`- **${name}**: ${description}.`), name);
});
