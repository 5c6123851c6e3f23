/** What is not known now: since when, and what was known then. */
import { element } from './element.js';
import { durationText } from './text.js';

/**
 * Loud, and with the time: nothing unknown may pass for all well.
 * @param {import('./model.js').Freshness} freshness
 * @param {string} what
 * @returns {Node[]}
 */
export function unknownView({ isStale, unknownSince, reason }, what) {
  if (!isStale || unknownSince === null) return [];
  return [
    element('p.headline.bad', `${what}, for `, elapsed(unknownSince)),
    ...(reason === null ? [] : [element('p.quiet', reason)]),
  ];
}

/**
 * @param {HTMLElement} what
 * @returns {Node[]}
 */
export function lastKnown(what) {
  what.classList.add('is-old');
  return [element('p.quiet', 'Last known:'), what];
}

/** @param {string} since a moment; `main` renews the text every second. */
export function elapsed(since) {
  const made = document.createElement('time');
  made.dateTime = since;
  made.dataset.since = since;
  made.textContent = durationText((Date.now() - Date.parse(since)) / 1_000);
  return made;
}
