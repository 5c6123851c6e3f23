/** Goal: firing alerts are listed by urgency, and a hostile text of a rule does no harm. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertsReply } from '../../src/routes/statusRoutes.ts';
import { listAlerts, type PrometheusAlert } from '../../src/status/alertReport.ts';

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

test('alerts are sorted by severity and then by age; pending ones are apart, and the watchdog is not listed', () => {
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

test('without the watchdog the alerts count as not evaluated', () => {
  assert.deepEqual(listAlerts([]), {
    isEvaluated: false,
    notifier: 'silent',
    firing: [],
    pending: [],
    unlistedCount: 0,
  });
});

test('alerts that are not known are unknown with a reason, and never an empty list', () => {
  const known = {
    isStale: false,
    answeredAt: '2026-12-01T06:00:00.000Z',
    ageSeconds: 1,
    unknownSince: null,
    reason: null,
  };
  const reply = alertsReply({
    ...listAlerts([alert('A', 'critical'), watchdog], []),
    freshness: known,
  });
  assert.deepEqual([reply.state, reply.notifier, reply.firing?.length], ['known', 'answers', 1]);
  const none = alertsReply({ ...listAlerts([watchdog]), freshness: known });
  assert.deepEqual([none.state, none.notifier, none.firing], ['known', 'silent', []]);
  const unevaluated = alertsReply({ ...listAlerts([], []), freshness: known });
  assert.deepEqual([unevaluated.state, unevaluated.firing], ['unknown', null]);
  assert.match(unevaluated.reason ?? '', /Watchdog/);
  const stale = { ...known, isStale: true, reason: 'Prometheus does not answer' };
  const unknown = alertsReply({ ...listAlerts([watchdog], []), freshness: stale });
  assert.deepEqual(
    [unknown.state, unknown.firing, unknown.reason],
    ['unknown', null, 'Prometheus does not answer'],
  );
});

test('a runbook address that is not http or https is left out', () => {
  const urlOf = (runbook_url: string) =>
    listAlerts([alert('A', 'info', { annotations: { runbook_url } })]).firing[0]?.runbookUrl;
  assert.equal(urlOf('https://example.org/A.md'), 'https://example.org/A.md');
  for (const hostile of ['javascript:alert(1)', 'data:text/html,x', 'not an address'])
    assert.equal(urlOf(hostile), null);
});

test('silenced and inhibited alerts are marked; they are matched by the labels that both servers know', () => {
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
    list.firing.map(({ suppression }) => suppression),
    ['silenced', 'inhibited', null, null],
  );
  assert.equal(list.firing[0]?.subject, 'createWodQueue');
});

test('many alerts and long texts are cut, and the alerts that are not listed are counted', () => {
  const flood = Array.from({ length: 120 }, (_, index) =>
    alert(`A${index}`, 'warning', { annotations: { summary: 'x'.repeat(10_000) } }),
  );
  const list = listAlerts(flood);
  assert.deepEqual([list.firing.length, list.unlistedCount], [50, 70]);
  assert.ok((list.firing[0]?.summary.length ?? 0) < 400);
});
