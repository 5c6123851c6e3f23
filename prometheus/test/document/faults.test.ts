/** Goal: no alert is forgotten in the account of faults. Method: each name of the rules stands in FAULTS.md, and no other. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RULES } from '../support/watchedSeries.ts';

const ALERTS = new Set(RULES.flatMap((rule) => ('alert' in rule ? [rule.alert] : [])));

test('each alert was told by a fault, or is named among those that no fault provokes', async () => {
  const text = await readFile(join(import.meta.dirname, '../../FAULTS.md'), 'utf8');
  const [matrix = '', rest = ''] = text.split('<!-- /alerts:matrix -->');
  const told = new Set(
    [...matrix.matchAll(/\| \*{0,2}([A-Z]\w+) (?:critical|warning|info)/g)].map(([, name]) => name),
  );
  const untold = [
    ...(rest.split('\n\n')[1]?.matchAll(/\b([A-Z][a-z]+[A-Z]\w+|Unroutable|Watchdog)\b/g) ?? []),
  ].map(([, name]) => name);
  assert.deepEqual(
    [...told].filter((name) => untold.includes(name)),
    [],
    'told after all',
  );
  assert.deepEqual(
    [...ALERTS].filter((name) => !told.has(name) && !untold.includes(name)),
    [],
  );
  assert.deepEqual(
    [...told, ...untold].filter((name) => !ALERTS.has(name ?? '')),
    [],
  );
});
