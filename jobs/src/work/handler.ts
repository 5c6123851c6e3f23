/** A handler does the jobs of one kind: it checks payloads, does the work, and stores the effects in bulk. */
import type { Outcome } from '@fit/topology';
import type { PayloadCheck } from '../record/jobMessage.ts';

export interface Job<Payload = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly generation: number;
  readonly payload: Payload;
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborted at the deadline. Work that ignores the signal is abandoned, and the attempt counts as failed. */
  readonly signal: AbortSignal;
}

export interface Handler<Payload = unknown, Effect = unknown> {
  readonly payload: PayloadCheck<Payload>;
  run(job: Job<Payload>): Outcome<Effect> | Promise<Outcome<Effect>>;
  /**
   * Stores many effects at once. It must be safe to repeat: an effect that is stored already is a success.
   * @throws StatementRefused where the database refuses one of the effects; the worker finds that effect, and its attempt
   * counts as failed. After any other error the batch is repeated until it succeeds, and no attempt is spent.
   */
  store(effects: readonly Effect[]): Promise<void>;
  /**
   * Finds the jobs whose effect is stored. It is asked before a job is marked dead, because an earlier attempt may have been
   * killed after it stored its effect; such a job is done. Without it, every job whose attempts are spent is dead.
   * @returns the ids of these jobs.
   */
  findStored?(jobs: readonly Pick<Job<Payload>, 'id' | 'payload'>[]): Promise<ReadonlySet<string>>;
}

export type Handlers = ReadonlyMap<string, Handler>;
