/** Goal: what fires is shown as it is, in order of urgency, and nothing hostile becomes a link. Method: the pure function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAlerts, type PrometheusAlert } from '../../src/alerts/alertReport.ts';

const watchdog = alert('Watchdog', 'none');

function alert(
  alertname: string,
  severity: string,
  rest: Partial<Omit<PrometheusAlert, 'labels'>> & { labels?: Record<string, string> } = {},
): PrometheusAlert {
  const { labels, ...given } = rest;
  return {
    annotations: {},
    state: 'firing',
    activeAt: '2026-11-23T05:00:00Z',
    ...given,
    labels: { alertname, severity, ...labels },
  };
}

test('critical first, then by age; pending apart; the watchdog is a sign of life and no alert', () => {
  const list = listAlerts([
    alert('C', 'info'),
    alert('B', 'warning', { activeAt: '2026-11-23T04:00:00Z' }),
    alert('D', 'strange'),
    alert('A', 'critical'),
    alert('B2', 'warning'),
    alert('P', 'critical', { state: 'pending' }),
    watchdog,
  ]);
  assert.deepEqual(
    list.firing.map(({ name }) => name),
    ['A', 'B', 'B2', 'C', 'D'],
  );
  assert.deepEqual(
    list.pending.map(({ name }) => name),
    ['P'],
  );
  assert.equal(list.isEvaluated, true);
});

test('no watchdog: an empty list is no good news', () => {
  assert.deepEqual(listAlerts([]), {
    isEvaluated: false,
    firing: [],
    pending: [],
    unlistedCount: 0,
  });
});

test('a runbook is a link only on the web', () => {
  const urlOf = (runbook_url: string) =>
    listAlerts([alert('A', 'info', { annotations: { runbook_url } })]).firing[0]?.runbookUrl;
  assert.equal(urlOf('https://example.org/A.md'), 'https://example.org/A.md');
  for (const hostile of ['javascript:alert(1)', 'data:text/html,x', 'not an address'])
    assert.equal(urlOf(hostile), null);
});

test('silenced and inhibited are told from told, by the labels that both know', () => {
  const labels = { queue: 'createWodQueue' };
  const managed = (name: string, silencedBy: string[], inhibitedBy: string[]) => ({
    labels: { alertname: name, severity: 'warning', cluster: 'one', ...labels },
    status: { silencedBy, inhibitedBy },
  });
  const list = listAlerts(
    ['A', 'B', 'C', 'D'].map((name) => alert(name, 'warning', { labels })),
    [managed('A', ['id'], []), managed('B', [], ['id']), managed('C', [], [])],
  );
  assert.deepEqual(
    list.firing.map(({ muted }) => muted),
    ['silenced', 'inhibited', null, null],
  );
  assert.equal(list.firing[0]?.subject, 'createWodQueue');
});

test('a flood and an endless text are cut, and what is not listed is counted', () => {
  const flood = Array.from({ length: 120 }, (_, index) =>
    alert(`A${index}`, 'warning', { annotations: { summary: 'x'.repeat(10_000) } }),
  );
  const list = listAlerts(flood);
  assert.deepEqual([list.firing.length, list.unlistedCount], [50, 70]);
  assert.ok((list.firing[0]?.summary.length ?? 0) < 400);
});
