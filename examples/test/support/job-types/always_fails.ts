/** A type that somebody adds: one file. */
import { z } from 'zod';
import { defineType } from '../../../job-queue/jobType.ts';

export default defineType({
  payload: z.object({ reason: z.string() }),
  run: ({ reason }) => {
    throw new Error(reason);
  },
});
