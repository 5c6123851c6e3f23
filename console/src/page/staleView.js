/** Views of a source that does not answer: since when, and its last answer. */
import { element } from './element.js';
import { durationText } from './text.js';

/**
 * A headline in the colour of problems, so that an unknown state does not look like a good one.
 * @param {import('./model.js').Freshness} freshness
 * @param {string} what
 * @returns {Node[]}
 */
export function unknownView({ isStale, unknownSince, reason }, what) {
  if (!isStale || unknownSince === null) return [];
  return [
    element('p.headline.bad', `${what}, for `, elapsed(unknownSince)),
    ...(reason === null ? [] : [element('p.secondary', reason)]),
  ];
}

/**
 * @param {HTMLElement} what
 * @returns {Node[]}
 */
export function lastKnown(what) {
  what.classList.add('is-stale');
  return [element('p.secondary', 'Last known:'), what];
}

/** @param {string} since ISO time; main.js updates the text every second. */
export function elapsed(since) {
  const made = document.createElement('time');
  made.dateTime = since;
  made.dataset.since = since;
  made.textContent = durationText((Date.now() - Date.parse(since)) / 1_000);
  return made;
}
