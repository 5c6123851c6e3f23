/** The text for screen readers. It changes with the state only, and not with each number or second. No I/O. */
import { verdictText } from './text.js';

/**
 * @param {import('./model.js').Status | undefined} status the last status.
 * @param {'off' | 'live' | 'lost'} connection
 * @returns {{ state: string, text: string }} the text is announced if the state differs from the one before.
 */
export function announcement(status, connection) {
  if (connection === 'lost')
    return { state: 'lost', text: 'Connection lost. What is shown is the last known.' };
  if (connection === 'off' || status === undefined) return { state: connection, text: '' };
  const { today, alerts, queues } = status;
  const parts = [today, alerts, queues].map(({ freshness }) => freshness.isStale);
  const names = alerts.firing.map(({ name }) => name);
  const state = [today.verdict, today.run?.isForEveryone, alerts.isEvaluated, parts, names];
  return {
    state: JSON.stringify(state),
    text: `${todayText(today)}. ${alertsText(alerts)}. ${queuesText(queues)}`.trim(),
  };
}

/** @param {import('./model.js').Today} today */
function todayText(today) {
  const { text } = verdictText(today);
  if (!today.freshness.isStale || today.verdict === 'unknown') return text;
  return `Today is not known; last known: ${text}`;
}

/** @param {import('./model.js').Alerts} alerts */
function alertsText({ freshness, isEvaluated, firing }) {
  if (freshness.isStale) return 'Alerts unknown';
  if (!isEvaluated) return 'Alerts are not evaluated';
  if (firing.length === 0) return 'Nothing fires';
  return `Firing: ${firing.map(({ name }) => name).join(', ')}`;
}

/** @param {import('./model.js').Queues} queues */
function queuesText({ freshness }) {
  return freshness.isStale ? 'Queues unknown: the broker does not answer.' : '';
}
