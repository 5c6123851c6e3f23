/** The topology of the tests of dead letters, which a killed process of theirs shares. */
import { defineTopology } from '@fit/topology';
import { z } from 'zod';

export const MAIL = defineTopology({
  exchange: 'mail',
  messages: { mail: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['mail'], retry: { delays: ['50ms'] } } },
});
