/** What job service and workers agree on: one kind of job for all types, with three priorities. */
import { openJobs } from '@fit/jobs';
import { z } from 'zod';

/** From lowest to highest; three need RabbitMQ 4.3. */
export const PRIORITIES = ['low', 'medium', 'high'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** @param tasks what the process does in the background: nothing, in a worker. */
export async function openQueue(urls: {
  readonly database: string;
  readonly connection: string;
  readonly tasks?: [];
}) {
  return await openJobs({
    ...urls,
    kinds: {
      task: {
        // The payload of a type is checked by the type, so a new type changes nothing on the broker and in the database.
        payload: z.object({ type: z.string(), payload: z.unknown() }),
        result: z.unknown(),
        retry: { delays: ['500ms', '2s'] },
        priorities: PRIORITIES,
      },
    },
    prefix: 'queue_',
  });
}

export type Queue = Awaited<ReturnType<typeof openQueue>>;
