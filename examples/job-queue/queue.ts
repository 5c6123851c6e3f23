/** What job service and workers agree on: a kind for each priority, because a queue has at most two priorities of its own. */
import { type JobKind, openJobs } from '@fit/jobs';
import { z } from 'zod';

export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

const lane = {
  // The payload of a type is checked by the type, so a new type changes nothing on the broker and in the database.
  payload: z.object({ type: z.string(), payload: z.unknown() }),
  result: z.unknown(),
  retry: { delays: ['500ms', '2s'] },
} as const satisfies JobKind;

/** @param tasks what the process does in the background: nothing, in a worker. */
export async function openQueue(urls: {
  readonly database: string;
  readonly connection: string;
  readonly tasks?: [];
}) {
  return await openJobs({
    ...urls,
    kinds: { high: lane, medium: lane, low: lane },
    prefix: 'queue_',
  });
}

export type Queue = Awaited<ReturnType<typeof openQueue>>;
