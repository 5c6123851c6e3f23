/** What API and notification workers agree on: the event, its queue, and the waits between attempts. */
import { defineTopology, parseDuration } from '@fit/topology';
import { z } from 'zod';

const eventSchema = z.strictObject({
  type: z.enum(['TASK_CREATED', 'TASK_UPDATED', 'TASK_DELETED']),
  payload: z.strictObject({ id: z.uuid(), title: z.string(), userId: z.uuid() }),
  metadata: z.strictObject({ eventId: z.uuid(), timestamp: z.iso.datetime() }),
});
export type TaskEvent = z.output<typeof eventSchema>;

export const topology = defineTopology({
  exchange: 'tasks',
  messages: { event: eventSchema },
  queues: {
    task_events: {
      on: ['event'],
      // Every process needs the same waits: they are part of the queues.
      retry: { delays: (process.env['RETRY_DELAYS'] ?? '1s,5s,30s').split(',').map(parseDuration) },
      names: { wait: 'task_events.retry.{n}', dead: 'task_events.dlq' },
    },
  },
});
