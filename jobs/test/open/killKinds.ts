/** The kinds that the processes of `killedWorkers.test.ts` share. */
import { schemaOf } from '../support/standardSchema.ts';

const text = schemaOf((input: string) => input);

export const KILL_KINDS = {
  make: { payload: text, result: text, retry: { delays: ['100ms', '200ms'] } },
} as const;

/** A worker that is to be killed holds the jobs whose number divided by this leaves its rest. */
export const HELD_DIVISOR = 6;
