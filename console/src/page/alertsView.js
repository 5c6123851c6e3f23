/** The alerts: which fire, since when, and the runbook of each. */
import { element, link } from './element.js';
import { elapsed, lastKnown, unknownView } from './staleView.js';
import { countText } from './text.js';

/**
 * @param {import('./model.js').Alerts} alerts
 * @returns {Node[]}
 */
export function alertsView(alerts) {
  const { freshness, isEvaluated, firing, pending, unlistedCount } = alerts;
  if (freshness.isStale)
    return [
      ...unknownView(freshness, 'Alerts unknown'),
      ...(firing.length > 0 ? lastKnown(alertList(firing)) : []),
    ];
  if (!isEvaluated)
    return [
      element('p.headline.bad', 'Alerts are not evaluated'),
      element(
        'p',
        'Prometheus answers, but the alert that always fires is missing, so its rules are not loaded.',
      ),
    ];
  const active = firing.filter(({ suppression }) => suppression === null);
  return [
    active.length === 0
      ? element('p.headline.good', 'Nothing fires')
      : element(`p.headline.${toneOf(active)}`, `${active.length} firing`),
    ...(firing.length > 0 ? [alertList(firing)] : []),
    ...(pending.length > 0
      ? [element('p.secondary', `About to fire: ${pending.map(({ name }) => name).join(', ')}`)]
      : []),
    ...(unlistedCount > 0 ? [element('p.secondary', `and ${countText(unlistedCount)} more`)] : []),
  ];
}

/** @param {readonly import('./model.js').Alert[]} alerts */
function toneOf(alerts) {
  return alerts.some(({ severity }) => severity === 'critical') ? 'bad' : 'warn';
}

/** @param {readonly import('./model.js').Alert[]} alerts */
function alertList(alerts) {
  return element('ul.items', ...alerts.map(alertItem));
}

/** @param {import('./model.js').Alert} alert */
function alertItem(alert) {
  const { name, severity, summary, subject, since, runbookUrl, suppression } = alert;
  const tone = severity === 'critical' ? 'bad' : severity === 'warning' ? 'warn' : 'secondary';
  return element(
    'li',
    element('h3', element(`span.tag.${tone}`, severity), ` ${name}`),
    element('p', summary === '' ? subject : summary),
    element(
      'p.secondary',
      'for ',
      elapsed(since),
      suppression !== null && `, ${suppression}`,
      runbookUrl !== null && ' – ',
      runbookUrl !== null && link(runbookUrl, 'what to do'),
    ),
  );
}
