/**
 * Goal: every metric that FIT exports is shown or used by an alert, and every name in a query exists. Method: names in panels,
 * rules and runbooks against the catalogue, the recordings and the list of foreign series.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RUNBOOKS } from '../support/runbook.ts';
import {
  EXPORTED,
  FOREIGN,
  metricOf,
  PANEL_EXPRESSIONS,
  RECORDED,
  RULE_EXPRESSIONS,
  readBy,
  UNREAD,
} from '../support/watchedSeries.ts';

const READ = readBy([...PANEL_EXPRESSIONS, ...RULE_EXPRESSIONS]);

const exists = (name: string) => EXPORTED.has(name) || RECORDED.has(name) || FOREIGN.has(name);

test('every exported metric is read by a panel or a rule, or listed with the reason why not', () => {
  const nowhere = [...EXPORTED.keys()].filter((name) => !READ.has(name) && !UNREAD.has(name));
  assert.deepEqual(nowhere, []);
});

test('every metric that is listed as unread is exported and not read', () => {
  const wrong = [...UNREAD.keys()].filter((name) => !EXPORTED.has(name) || READ.has(name));
  assert.deepEqual(wrong, []);
});

test('every recorded series is read by a panel or another rule', () => {
  const nowhere = [...RECORDED].filter((name) => !READ.has(name));
  assert.deepEqual(nowhere, []);
});

test('every name that a panel or a rule reads exists', () => {
  const unknown = [...READ].filter((name) => !exists(name));
  assert.deepEqual(unknown, []);
});

test('every name in a runbook exists', () => {
  for (const { alert, queries } of RUNBOOKS) {
    const unknown = [...readBy(queries)].filter((name) => !exists(name));
    assert.deepEqual(unknown, [], alert);
  }
});

test('every foreign series that is listed is read', () => {
  const stale = [...FOREIGN].filter((name) => !READ.has(metricOf(name)));
  assert.deepEqual(stale, []);
});
