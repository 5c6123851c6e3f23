/** Goal: the campaign passes only what was expected. Method: made-up notifications with one flaw at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notification } from '@fit/stack/testing';
import type { Fault } from '../../src/alerts/fault.ts';
import {
  findViolations,
  missingAlerts,
  summarizeAlerts,
} from '../../src/alerts/judgeNotifications.ts';

const MOMENTS = { injectedAt: 100_000, repairedAt: 200_000 };
const FAULT: Fault = {
  name: 'coach down',
  description: '',
  expected: ['TargetDown critical'],
  labels: { 'TargetDown critical': { job: /^coach/ } },
  sideAlerts: { 'QueueNearFull warning': 'jobs go on arriving' },
  inject: () => Promise.resolve(),
  repair: () => Promise.resolve(),
};

function notification(
  alert: string,
  seconds: number,
  change: Partial<Notification> = {},
): Notification {
  const [alertname = '', severity = ''] = alert.split(' ');
  const receiver = severity === 'critical' ? 'critical' : 'warning';
  const labels = { alertname, severity, job: 'coach' };
  return { receiver, status: 'firing', labels, at: seconds * 1_000, ...change };
}

const DOWN = notification('TargetDown critical', 120);
const OVER = notification('TargetDown critical', 205, { status: 'resolved' });
const FILLING = notification('QueueNearFull warning', 130);

test('alerts in time, at the right receiver, resolved after the repair are no violation; their seconds are summarized', () => {
  const all = [notification('Watchdog none', 110), DOWN, FILLING, OVER];
  assert.deepEqual(missingAlerts(FAULT, all), []);
  assert.deepEqual(findViolations(FAULT, all, MOMENTS), []);
  const [down, filling] = summarizeAlerts(FAULT, all, MOMENTS);
  assert.deepEqual([down?.firedSeconds, down?.resolvedSeconds, down?.isExpected], [20, 5, true]);
  assert.ok(Number.isNaN(filling?.resolvedSeconds) && filling?.isExpected === false);
});

const flaws: readonly [name: string, all: Notification[], wrong: RegExp][] = [
  ['another alert', [DOWN, notification('RetryStorm warning', 130)], /^unexpected: RetryStorm/],
  [
    'the same alert of another process',
    [DOWN, { ...DOWN, labels: { ...DOWN.labels, job: 'monolith' } }],
    /^unexpected: TargetDown critical .*monolith/,
  ],
  [
    'a critical alert at the wrong receiver',
    [{ ...DOWN, receiver: 'warning' }],
    /^sent to warning: TargetDown/,
  ],
  [
    'an alert that ends before the repair',
    [DOWN, { ...OVER, at: 190_000 }],
    /^resolved before the repair/,
  ],
];
for (const [name, all, wrong] of flaws)
  test(`${name} is a violation`, () => {
    const violations = findViolations(FAULT, all, MOMENTS);
    assert.equal(violations.length, 1, violations.join('\n'));
    assert.match(violations[0]!, wrong);
  });

test('an alert may end early if the fault gives a reason', () => {
  const fault = {
    ...FAULT,
    mayEndEarly: { 'TargetDown critical': 'the process restarts by itself' },
  };
  assert.deepEqual(findViolations(fault, [DOWN, { ...OVER, at: 190_000 }], MOMENTS), []);
});

test('an alert with other labels is not the expected one', () => {
  const other = { ...DOWN, labels: { ...DOWN.labels, job: 'monolith' } };
  assert.deepEqual(missingAlerts(FAULT, [other, OVER]), ['TargetDown critical']);
});
