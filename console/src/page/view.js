/** A status → what people see, in the order of their questions: everyone served, what fires, how full. */
import { element, factList, link, meter } from './element.js';
import { countText, durationText, partsText, percentText, rateText, verdictText } from './text.js';

/** As the alert QueueNearFull has it. */
const NEAR_FULL = 0.7;
const ALMOST_FULL = 0.9;

/** As the alert QueueFillingUp has it: below, a trend over few messages is noise. */
const WORTH_A_FORECAST = 0.1;

const ROLES = ['main', 'wait', 'dlq'];

/**
 * @param {import('./model.js').Today} today
 * @returns {Node[]}
 */
export function todayView(today) {
  if (today.freshness.isStale) return staleTodayView(today);
  const { served, total } = today;
  const { text, tone } = verdictText(today);
  const label = `${percentText(served / total)} served`;
  return [
    element(`p.headline.${tone}`, text),
    ...(total > 0 ? [meter(served / total, { label, tone })] : []),
    todayFacts(today),
  ];
}

/**
 * What was known stays, but neither as large nor as coloured as what is.
 * @param {import('./model.js').Today} today
 * @returns {Node[]}
 */
function staleTodayView(today) {
  const unknown = unknownView(today.freshness, 'Not known');
  if (today.verdict === 'unknown') return unknown;
  const { text } = verdictText(today);
  return [...unknown, ...lastKnown(element('div', element('p', text), todayFacts(today)))];
}

/**
 * @param {HTMLElement} what
 * @returns {Node[]}
 */
function lastKnown(what) {
  what.classList.add('is-old');
  return [element('p.quiet', 'Last known:'), what];
}

/** @param {import('./model.js').Today} today */
function todayFacts(today) {
  const { served, total } = today;
  return factList({
    day: today.date,
    served: total > 0 && percentText(served / total),
    ...runFacts(today),
    'not on the broker yet': outboxText(today.outbox),
  });
}

/**
 * @param {import('./model.js').Today} today
 * @returns {Record<string, string | false>}
 */
function runFacts({ freshness, verdict, run, missing }) {
  const { causes = {}, ratePerSecond = null, etaSeconds = null } = run ?? {};
  const isRunning = verdict === 'running' && !freshness.isStale;
  return {
    missing: partsText(missing) || false,
    'died of': partsText(causes) || false,
    pace: isRunning && rateText(ratePerSecond),
    'time left': isRunning && ifKnown(etaSeconds, durationText),
  };
}

/**
 * @param {number | null} value
 * @param {(value: number) => string} say
 * @returns {string | false} false where there is nothing to say.
 */
function ifKnown(value, say) {
  return value !== null && say(value);
}

/** @param {import('./model.js').Today['outbox']} outbox */
function outboxText(outbox) {
  if (outbox === null) return false;
  const { pending, oldestAgeSeconds } = outbox;
  return pending === 0 ? '0' : `${countText(pending)}, oldest ${durationText(oldestAgeSeconds)}`;
}

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
        'Prometheus answers, but the alert that always fires is missing: its rules are not loaded.',
      ),
    ];
  const told = firing.filter(({ muted }) => muted === null);
  return [
    told.length === 0
      ? element('p.headline.good', 'Nothing fires')
      : element(`p.headline.${toneOf(told)}`, `${told.length} firing`),
    ...(firing.length > 0 ? [alertList(firing)] : []),
    ...(pending.length > 0
      ? [element('p.quiet', `About to fire: ${pending.map(({ name }) => name).join(', ')}`)]
      : []),
    ...(unlistedCount > 0 ? [element('p.quiet', `and ${countText(unlistedCount)} more`)] : []),
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
  const { name, severity, summary, subject, since, runbookUrl, muted } = alert;
  const tone = severity === 'critical' ? 'bad' : severity === 'warning' ? 'warn' : 'quiet';
  return element(
    'li',
    element('h3', element(`span.tag.${tone}`, severity), ` ${name}`),
    element('p', summary === '' ? subject : summary),
    element(
      'p.quiet',
      'for ',
      elapsed(since),
      muted !== null && `, ${muted}`,
      runbookUrl !== null && ' – ',
      runbookUrl !== null && link(runbookUrl, 'what to do'),
    ),
  );
}

/**
 * @param {import('./model.js').Queues} queues
 * @returns {Node[]}
 */
export function queuesView({ freshness, source, queues }) {
  const { isStale } = freshness;
  // The way of a job: main, its waits, the dead letters.
  const inOrder = [...queues].sort(
    (one, other) => ROLES.indexOf(one.role) - ROLES.indexOf(other.role) || one.tier - other.tier,
  );
  const list = element('ul.items', ...inOrder.map((queue) => queueItem(queue, isStale)));
  return [
    ...unknownView(freshness, 'The broker does not answer'),
    ...(source === 'amqp'
      ? [element('p.quiet', 'Without the management API: ready messages and consumers alone.')]
      : []),
    ...(isStale && source !== null ? lastKnown(list) : [list]),
  ];
}

/**
 * @param {import('./model.js').Queue} queue
 * @param {boolean} isStale
 */
function queueItem(queue, isStale) {
  const { name, presence } = queue;
  const title = element('h3', name, element('span.quiet', ` ${roleText(queue)}`));
  if (presence === 'missing')
    return element('li', title, element('p.bad', 'Declared, but not on the broker'));
  if (presence === 'unknown') return element('li', title, element('p.quiet', 'Not known yet'));
  return element('li', title, ...fillView(queue, isStale), queueFacts(queue));
}

/** @param {import('./model.js').Queue} queue */
function roleText({ role, tier, ttlSeconds }) {
  if (role === 'wait') return `wait ${tier}, ${durationText(ttlSeconds)} each`;
  return role === 'dlq' ? 'dead letters' : 'main';
}

/**
 * @param {import('./model.js').Queue} queue
 * @param {boolean} isStale a forecast from then is none.
 * @returns {Node[]}
 */
function fillView({ fillRatio, counted, limit, timeToFullSeconds }, isStale) {
  if (fillRatio === null || limit === null) return [];
  const tone = fillRatio >= ALMOST_FULL ? 'bad' : fillRatio >= NEAR_FULL ? 'warn' : '';
  const fill = `${percentText(fillRatio)} full`;
  const isForecast = fillRatio > WORTH_A_FORECAST && !isStale;
  const seconds = isForecast ? timeToFullSeconds : null;
  const depth = ` – ${countText(counted)} of ${countText(limit)}`;
  return [
    meter(fillRatio, { label: fill, tone }),
    element(
      'p',
      element(`strong.fill.${tone}`, fill),
      depth,
      seconds !== null && element('strong.warn', `, full in ${durationText(seconds)}`),
    ),
  ];
}

/** @param {import('./model.js').Queue} queue */
function queueFacts(queue) {
  const { ready, unacked, held, consumers, inPerSecond, role } = queue;
  const isWorked = role !== 'wait';
  return factList({
    ready: countText(ready),
    'being worked on': isWorked && ifKnown(unacked, countText),
    held: ifKnown(held === 0 ? null : held, countText),
    consumers: isWorked && countText(consumers),
    in: ifKnown(inPerSecond, rateText),
    out: ifKnown(queue.outPerSecond, rateText),
    growth: inPerSecond === null && ifKnown(queue.netPerSecond, rateText),
    oldest: ifKnown(queue.oldestAgeSeconds, durationText),
    'limit on the broker': driftText(queue),
  });
}

/** @param {import('./model.js').Queue} queue */
function driftText({ hasLimitDrift, limitInForce, limit }) {
  if (!hasLimitDrift) return false;
  const inForce = limitInForce === null ? 'none' : countText(limitInForce);
  return `${inForce}, declared ${limit === null ? 'none' : countText(limit)}`;
}

/**
 * Loud, and with the time: nothing unknown may pass for all well.
 * @param {import('./model.js').Freshness} freshness
 * @param {string} what
 * @returns {Node[]}
 */
function unknownView({ isStale, unknownSince, reason }, what) {
  if (!isStale || unknownSince === null) return [];
  return [
    element('p.headline.bad', `${what}, for `, elapsed(unknownSince)),
    ...(reason === null ? [] : [element('p.quiet', reason)]),
  ];
}

/** @param {string} since a moment; `main` renews the text every second. */
function elapsed(since) {
  const made = document.createElement('time');
  made.dateTime = since;
  made.dataset.since = since;
  made.textContent = durationText((Date.now() - Date.parse(since)) / 1_000);
  return made;
}
