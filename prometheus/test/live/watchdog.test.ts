/**
 * Goal: the receiver of the Watchdog gets it in every period and not in every second one. Method: a real Alertmanager with the short
 * windows, and the time between two notifications at the webhook. Production differs only in the numbers.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlertSink, eventually } from '@fit/stack/testing';
import { PRODUCTION_WINDOWS, SHORT_WINDOWS, type Windows } from '../../src/index.ts';
import { startAlertmanager } from '../support/startAlertmanager.ts';

/** Ten seconds with the short windows, a minute in production. */
const PERIOD_MS = 10_000;
/** Delay of a webhook on a busy machine. */
const TOLERANCE_MS = 1_500;
const NOTIFICATION_COUNT = 3;

test('the Watchdog is sent once in each period', async (t) => {
  const sink = await AlertSink.open();
  const stack = await startAlertmanager(t, {
    windows: SHORT_WINDOWS,
    receivers: { watchdogUrl: sink.urlOf('watchdog') },
  });
  t.after(() => sink.close());

  const endsAt = new Date(Date.now() + 10 * NOTIFICATION_COUNT * PERIOD_MS);
  const response = await fetch(`${stack.alertmanagerUrl ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ labels: { alertname: 'Watchdog', severity: 'none' }, endsAt }]),
  });
  assert.equal(response.status, 200);

  await eventually(() => sink.notifications.length >= NOTIFICATION_COUNT, {
    deadlineMs: 2 * NOTIFICATION_COUNT * PERIOD_MS,
    describe: () => `${sink.notifications.length} notifications`,
  });
  const moments = sink.notifications.map(({ at }) => at);
  const distancesMs = moments.slice(1).map((at, index) => at - moments[index]!);
  t.diagnostic(`${distancesMs.join(', ')} ms`);
  for (const distanceMs of distancesMs)
    assert.ok(Math.abs(distanceMs - PERIOD_MS) < TOLERANCE_MS, `${distanceMs} ms`);
});

test('in both sets of windows the first group interval after the repeat interval ends at the period', () => {
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
