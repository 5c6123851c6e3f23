/** Today: whether everyone is served, how many are missing, and why. */
import { element, factList, meter } from './element.js';
import { lastKnown, unknownView } from './staleView.js';
import {
  countText,
  durationText,
  ifKnown,
  partsText,
  percentText,
  rateText,
  verdictText,
} from './text.js';

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
 * The last known state, smaller and without colour, so that it does not look current.
 * @param {import('./model.js').Today} today
 * @returns {Node[]}
 */
function staleTodayView(today) {
  const unknown = unknownView(today.freshness, 'Not known');
  if (today.verdict === 'unknown') return unknown;
  const { text } = verdictText(today);
  return [...unknown, ...lastKnown(element('div', element('p', text), todayFacts(today)))];
}

/** @param {import('./model.js').Today} today */
function todayFacts(today) {
  const { served, total } = today;
  return factList({
    day: today.date,
    served: total > 0 && percentText(served / total),
    ...runFacts(today),
    'pending in the outbox': outboxText(today.outbox),
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
    'causes of death': partsText(causes) || false,
    rate: isRunning && rateText(ratePerSecond),
    'time left': isRunning && ifKnown(etaSeconds, durationText),
  };
}

/** @param {import('./model.js').Today['outbox']} outbox */
function outboxText(outbox) {
  if (outbox === null) return false;
  const { pending, oldestAgeSeconds } = outbox;
  return pending === 0 ? '0' : `${countText(pending)}, oldest ${durationText(oldestAgeSeconds)}`;
}
