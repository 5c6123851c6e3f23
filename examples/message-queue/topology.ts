/** What producer and consumers agree on: the message, its queue, and the waits between attempts. */
import { defineTopology, parseDuration } from '@fit/topology';
import { z } from 'zod';

/** Seconds. The deadline of an attempt is longer, so that the longest message can end. */
const LONGEST_PROCESSING = 300;

export const messageSchema = z.strictObject({
  id: z.union([z.string().min(1).max(200), z.int()]),
  payload: z.json(),
  /** Seconds. */
  processing_time: z.number().min(0).max(LONGEST_PROCESSING).optional(),
});

export const topology = defineTopology({
  exchange: 'message_queue',
  messages: { message: messageSchema },
  queues: {
    messages: {
      on: ['message'],
      // Producer and consumers need the same waits: they are part of the queues.
      retry: { delays: (process.env['RETRY_DELAYS'] ?? '1s,5s,30s').split(',').map(parseDuration) },
      deadline: `${LONGEST_PROCESSING + 60}s`,
      maxLength: 100_000,
    },
  },
});
