/** The message of every measurement: as small as a job, and alike on both sides down to its properties. */
import type { Options } from 'amqplib';

const BODY_BYTES = 200;

export const BODY = Buffer.from(JSON.stringify({ text: '' }).padEnd(BODY_BYTES));

/** Messages in flight without a confirm, and without an ack: the same on both sides. */
export const WINDOW_COUNT = 1_000;
export const PREFETCH_COUNT = 250;

export const idOf = (index: number): string => `m${index}`;

/** What FIT's publisher sends, written by hand: with fewer of them the baseline would send smaller frames. */
export function barePropertiesOf(index: number): Options.Publish {
  return {
    persistent: true,
    mandatory: true,
    messageId: idOf(index),
    timestamp: Math.floor(Date.now() / 1_000),
    contentType: 'application/json',
    headers: {},
  };
}
