/** Plain JavaScript whose JSDoc is checked by the compiler (`checkJs`). It is never run. */
import { declareTopology, formatDuration } from '@fit/topology';

/** @type {import('@fit/topology').TopologyOptions} */
const options = {
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s', '30s', '2m'] } },
};
export const declaration = declareTopology(options);

/**
 * @param {import('@fit/topology/work').Task<Buffer>} task
 * @returns {import('@fit/topology').Outcome}
 */
export function run({ message, attempt }) {
  if (attempt.number > 2) return { type: 'reject', error: new Error(message.toString()) };
  return { type: 'retry', error: new Error('busy') };
}

// @ts-expect-error a duration is formatted from a number of milliseconds.
formatDuration('5s');
