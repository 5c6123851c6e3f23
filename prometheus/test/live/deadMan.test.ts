/**
 * Goal: who waits for the Watchdog hears it in every period, not in every second one. Method: a real Alertmanager with the short
 * windows; what counts is the distance between two notifications at the webhook. Production differs in the numbers only.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlertSink, eventually } from '@fit/stack/testing';
import { PRODUCTION_WINDOWS, SHORT_WINDOWS, type Windows } from '../../src/index.ts';
import { startAlertmanager } from '../support/startAlertmanager.ts';

/** What is promised: ten seconds here, a minute in production. */
const PERIOD_MS = 10_000;
/** A webhook's way on a machine that does other things as well. */
const LATE_MS = 1_500;
const PINGS_COUNT = 3;

test('the dead-man receiver is told once in each period', async (t) => {
  const sink = await AlertSink.open();
  const stack = await startAlertmanager(t, {
    windows: SHORT_WINDOWS,
    receivers: { deadManUrl: sink.urlOf('dead-man') },
  });
  t.after(() => sink.close());

  const endsAt = new Date(Date.now() + 10 * PINGS_COUNT * PERIOD_MS);
  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ labels: { alertname: 'Watchdog', severity: 'none' }, endsAt }]),
  });
  assert.equal(response.status, 200);

  await eventually(() => sink.notifications.length >= PINGS_COUNT, {
    deadlineMs: 2 * PINGS_COUNT * PERIOD_MS,
    describe: () => `heard ${sink.notifications.length} times`,
  });
  const moments = sink.notifications.map(({ at }) => at);
  const distancesMs = moments.slice(1).map((at, index) => at - moments[index]!);
  t.diagnostic(`${distancesMs.join(', ')} ms`);
  for (const distanceMs of distancesMs)
    assert.ok(Math.abs(distanceMs - PERIOD_MS) < LATE_MS, `${distanceMs} ms`);
});

test('in both sets of windows an interval ends at the period, and none before the repetition is due', () => {
  const nextMs = ({ notification }: Windows) => {
    const intervalMs = millisecondsOf(notification.watchdogInterval);
    const repeatMs = millisecondsOf(notification.watchdogRepeat);
    return (Math.floor(repeatMs / intervalMs) + 1) * intervalMs;
  };
  assert.equal(nextMs(SHORT_WINDOWS), PERIOD_MS);
  assert.equal(nextMs(PRODUCTION_WINDOWS), 60_000);
});

function millisecondsOf(span: string): number {
  return Number(span.slice(0, -1)) * (span.endsWith('m') ? 60_000 : 1_000);
}
