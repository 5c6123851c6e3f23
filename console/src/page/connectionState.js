/** The state of the connection, and whether the shown status is current. No I/O. */
import { durationText } from './text.js';

/**
 * @typedef {object} ConnectionFacts
 * @property {boolean} isOpen true while a connection is open or being opened.
 * @property {{ reason: string, retryAt: number } | undefined} lost retryAt in milliseconds since the epoch.
 * @property {number} activeAt when data last arrived, in milliseconds since the epoch; 0: none arrived yet.
 */

/** The server sends a heartbeat every 15 s. */
const LIVE_LIMIT_MS = 20_000;

/**
 * @param {ConnectionFacts} facts
 * @param {number} now in milliseconds since the epoch.
 * @returns {{ state: 'off' | 'live' | 'lost', text: string }} while the state is not live, the page must not look current.
 */
export function connectionState({ isOpen, lost, activeAt }, now) {
  if (!isOpen) return { state: 'off', text: 'not connected' };
  const agoText = durationText((now - activeAt) / 1_000);
  if (lost !== undefined) {
    const waitText = durationText((lost.retryAt - now) / 1_000);
    const seen = activeAt === 0 ? '' : `, last seen ${agoText} ago`;
    return { state: 'lost', text: `${lost.reason}${seen}; trying again in ${waitText}` };
  }
  if (activeAt === 0) return { state: 'off', text: 'connecting' };
  return now - activeAt < LIVE_LIMIT_MS
    ? { state: 'live', text: 'live' }
    : { state: 'lost', text: `no data, last seen ${agoText} ago` };
}
