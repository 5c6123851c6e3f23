/** The kinds that the processes of `killedWorkers.test.ts` share. */
import { schemaOf } from '../support/standardSchema.ts';

const text = schemaOf((input: string) => input);

export const KILL_KINDS = {
  make: { payload: text, result: text, retry: { delays: ['100ms', '200ms'] } },
} as const;
