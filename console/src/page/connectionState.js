/** What is said of the connection, and whether what is shown is of now. Pure. */
import { durationText } from './text.js';

/**
 * @typedef {object} Heard
 * @property {boolean} isOpen somebody is asked.
 * @property {{ reason: string, retryAt: number } | undefined} lost retryAt in milliseconds since the epoch.
 * @property {number} heardAt in milliseconds since the epoch; 0: nothing was heard yet.
 */

/** The server's heartbeat comes every 15 s. */
const SILENT_MS = 20_000;

/**
 * @param {Heard} heard
 * @param {number} now in milliseconds since the epoch.
 * @returns {{ state: 'off' | 'live' | 'lost', text: string }} of what is not live, nothing may look like now.
 */
export function connectionState({ isOpen, lost, heardAt }, now) {
  if (!isOpen) return { state: 'off', text: 'not connected' };
  const agoText = durationText((now - heardAt) / 1_000);
  if (lost !== undefined) {
    const waitText = durationText((lost.retryAt - now) / 1_000);
    const seen = heardAt === 0 ? '' : `, last seen ${agoText} ago`;
    return { state: 'lost', text: `${lost.reason}${seen}; trying again in ${waitText}` };
  }
  if (heardAt === 0) return { state: 'off', text: 'connecting' };
  return now - heardAt < SILENT_MS
    ? { state: 'live', text: 'live' }
    : { state: 'lost', text: `silent, last seen ${agoText} ago` };
}
