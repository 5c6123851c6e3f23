/** A handler does the jobs of one kind: it has a payload check, the work, and a bulk store for its effects. */
import type { Outcome } from '@fit/topology';
import type { PayloadCheck } from '../record/jobMessage.ts';

export interface Job<Payload = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly generation: number;
  readonly payload: Payload;
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborted at the deadline; work that ignores it is abandoned and the attempt counts as a failure. */
  readonly signal: AbortSignal;
}

export interface Handler<Payload = unknown, Effect = unknown> {
  readonly payload: PayloadCheck<Payload>;
  run(job: Job<Payload>): Outcome<Effect> | Promise<Outcome<Effect>>;
  /**
   * Stores many effects at once; must be safe to repeat, and must treat "is there already" as success.
   * @throws StatementRefused where the store works and cannot take one of them: that one is found, and its attempt has
   * failed. Anything else means that the store is out: the batch is repeated until it succeeds, and no attempt is spent.
   */
  store(effects: readonly Effect[]): Promise<void>;
}

export type Handlers = ReadonlyMap<string, Handler>;
