/** What producer and consumers agree on: one message, which carries the id of a task, and the queue of it. */
import { defineTopology } from '@fit/topology';
import { z } from 'zod';

const taskMessage = z.object({ id: z.uuid() });

export const board = defineTopology({
  exchange: 'task-board',
  messages: { task: taskMessage },
  queues: {
    tasks: {
      on: ['task'],
      // For defects and lost deadlines. A failure of the simulated work is final and takes no further attempt.
      retry: { delays: ['1s', '30s', '10m', '1h'] },
    },
  },
});
