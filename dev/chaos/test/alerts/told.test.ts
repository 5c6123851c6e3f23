/** Goal: the campaign passes only what it claims. Method: notifications by hand, one flaw at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notification } from '@fit/stack/testing';
import type { Fault } from '../../src/alerts/fault.ts';
import { missingOf, toldOf, wrongsOf } from '../../src/alerts/told.ts';

const MOMENTS = { injectedAt: 100_000, mendedAt: 200_000 };
const FAULT: Fault = {
  name: 'coach down',
  about: '',
  expected: ['TargetDown critical'],
  labels: { 'TargetDown critical': { job: /^coach/ } },
  consequences: { 'QueueFillingUp warning': 'jobs go on arriving' },
  inject: () => Promise.resolve(),
  mend: () => Promise.resolve(),
};

function told(alert: string, seconds: number, change: Partial<Notification> = {}): Notification {
  const [alertname = '', severity = ''] = alert.split(' ');
  const receiver = severity === 'critical' ? 'page' : 'ticket';
  const labels = { alertname, severity, job: 'coach' };
  return { receiver, status: 'firing', labels, at: seconds * 1_000, ...change };
}

const DOWN = told('TargetDown critical', 120);
const OVER = told('TargetDown critical', 205, { status: 'resolved' });
const FILLING = told('QueueFillingUp warning', 130);

test('in time, to the right people, over afterwards: nothing is wrong, and the seconds are told', () => {
  const all = [told('Watchdog none', 110), DOWN, FILLING, OVER];
  assert.deepEqual(missingOf(FAULT, all), []);
  assert.deepEqual(wrongsOf(FAULT, all, MOMENTS), []);
  const [down, filling] = toldOf(FAULT, all, MOMENTS);
  assert.deepEqual([down?.firedSeconds, down?.resolvedSeconds, down?.isExpected], [20, 5, true]);
  assert.ok(Number.isNaN(filling?.resolvedSeconds) && filling?.isExpected === false);
});

const flaws: readonly [name: string, all: Notification[], wrong: RegExp][] = [
  ['another alert', [DOWN, told('JobStuck warning', 130)], /^unexpected: JobStuck/],
  [
    'the same alert of another thing',
    [DOWN, { ...DOWN, labels: { ...DOWN.labels, job: 'monolith' } }],
    /^unexpected: TargetDown critical .*monolith/,
  ],
  ['a page among the tickets', [{ ...DOWN, receiver: 'ticket' }], /^told to ticket: TargetDown/],
  ['over before the fault', [DOWN, { ...OVER, at: 190_000 }], /^over before the fault was/],
];
for (const [name, all, wrong] of flaws)
  test(`${name} is wrong`, () => {
    const wrongs = wrongsOf(FAULT, all, MOMENTS);
    assert.equal(wrongs.length, 1, wrongs.join('\n'));
    assert.match(wrongs[0]!, wrong);
  });

test('one that ends by itself may be over early, where the fault says why', () => {
  const fault = { ...FAULT, passing: { 'TargetDown critical': 'it comes back by itself' } };
  assert.deepEqual(wrongsOf(fault, [DOWN, { ...OVER, at: 190_000 }], MOMENTS), []);
});

test('only an alert of the right thing is the expected one', () => {
  const other = { ...DOWN, labels: { ...DOWN.labels, job: 'monolith' } };
  assert.deepEqual(missingOf(FAULT, [other, OVER]), ['TargetDown critical']);
});
