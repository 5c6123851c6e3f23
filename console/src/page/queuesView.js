/** The queues: how full each is, and when it will be full. */
import { element, factList, meter } from './element.js';
import { lastKnown, unknownView } from './staleView.js';
import { countText, durationText, ifKnown, percentText, rateText } from './text.js';

/** The thresholds of the alert QueueNearFull. */
const NEAR_FULL = 0.7;
const ALMOST_FULL = 0.9;

/** The alert QueueNearFull makes no forecast below this fill: a trend over few messages is noise. */
const FORECAST_FILL = 0.1;

const ROLES = ['main', 'wait', 'dlq'];

/**
 * @param {import('./model.js').Queues} queues
 * @returns {Node[]}
 */
export function queuesView({ freshness, source, queues }) {
  const { isStale } = freshness;
  // The main queue comes first, then its wait queues by tier, then the dead-letter queue.
  const inOrder = [...queues].sort(
    (one, other) => ROLES.indexOf(one.role) - ROLES.indexOf(other.role) || one.tier - other.tier,
  );
  const list = element('ul.items', ...inOrder.map((queue) => queueItem(queue, isStale)));
  return [
    ...unknownView(freshness, 'The broker does not answer'),
    ...(source === 'amqp'
      ? [
          element(
            'p.secondary',
            'Without the management API only ready messages and consumers are known.',
          ),
        ]
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
  const title = element('h3', name, element('span.secondary', ` ${roleText(queue)}`));
  if (presence === 'missing')
    return element('li', title, element('p.bad', 'Declared, but not on the broker'));
  if (presence === 'unknown') return element('li', title, element('p.secondary', 'Not known yet'));
  const { paused } = queue;
  return element(
    'li',
    title,
    paused ? element('p.warn', `Paused since ${timeText(paused.since)}: ${paused.reason}`) : false,
    ...fillView(queue, isStale),
    queueFacts(queue),
  );
}

/** @param {string} iso */
function timeText(iso) {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

/** @param {import('./model.js').Queue} queue */
function roleText({ role, tier, ttlSeconds }) {
  if (role === 'wait') return `wait ${tier}, ${durationText(ttlSeconds)} each`;
  return role === 'dlq' ? 'dead letters' : 'main';
}

/**
 * @param {import('./model.js').Queue} queue
 * @param {boolean} isStale no forecast is made from old counts.
 * @returns {Node[]}
 */
function fillView({ fillRatio, countedByLimit, limit, timeToFullSeconds }, isStale) {
  if (fillRatio === null || limit === null) return [];
  const tone = fillRatio >= ALMOST_FULL ? 'bad' : fillRatio >= NEAR_FULL ? 'warn' : '';
  const fill = `${percentText(fillRatio)} full`;
  const hasForecast = fillRatio > FORECAST_FILL && !isStale;
  const seconds = hasForecast ? timeToFullSeconds : null;
  const depth = ` – ${countText(countedByLimit)} of ${countText(limit)}`;
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
  const { ready, unacked, awaitingTransfer, consumers, inPerSecond, role } = queue;
  const hasConsumers = role !== 'wait';
  return factList({
    ready: countText(ready),
    unacknowledged: hasConsumers && ifKnown(unacked, countText),
    'awaiting transfer': ifKnown(awaitingTransfer === 0 ? null : awaitingTransfer, countText),
    consumers: hasConsumers && countText(consumers),
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
