/** What one kind of job is: its name, its schemas, its policy and its handler. Each kind is one file of this folder. */
import type { Duration, KindOptions } from '@fit/topology';
import type { Static, TSchema } from 'typebox';

/** The profiles of the topology; `assignment` has the limits of the assignment's text. */
export const PROFILES = ['default', 'assignment'] as const;
export type Profile = (typeof PROFILES)[number];

export interface FitTopologyOptions {
  readonly profile: Profile;
  /** Waits between attempts; default 5 s, 30 s, 120 s. They must be the same in every process. */
  readonly tiers?: readonly Duration[];
  /** Limit of the main queue of `createWod` in messages; default 10,000, and 100 in the profile `assignment`. */
  readonly maxLength?: number;
}

/**
 * How the broker treats the jobs of a kind. What is left out is the default of the topology: waits of `FIT_TIERS`, a deadline of
 * 60 s, at most 10,000 messages in the main queue.
 */
export type KindPolicy = Readonly<Partial<Omit<KindOptions, 'key' | 'keys' | 'queue'>>>;

/** What a handler gets beside the payload. */
export interface KindAttempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborted at the deadline of the policy; an attempt that ignores it counts as failed. */
  readonly signal: AbortSignal;
}

/**
 * Does one job. It may run twice for one job, where a worker is killed.
 * @returns the result, as JSON has it; it is stored once for each job.
 * @throws whatever went wrong: the job is tried again, and after the last attempt it is dead with this error.
 */
export type RunJob<Payload, Result> = (
  payload: Payload,
  attempt: KindAttempt,
) => Result | Promise<Result>;

interface AnyKind<Payload extends TSchema> {
  /** Without a colon. Jobs, queues, metrics and `POST /jobs` have it. */
  readonly name: string;
  /** What it does, as a verb phrase, for the documentation. */
  readonly summary: string;
  /** Checked when a job is submitted and before each attempt. Every text, array and object has a bound. */
  readonly payload: Payload;
  /** A function where the policy depends on settings. */
  readonly policy: KindPolicy | ((options: FitTopologyOptions) => KindPolicy);
}

/** A kind whose handler returns a result. */
export interface ResultKind<Payload extends TSchema = TSchema, Result extends TSchema = TSchema>
  extends AnyKind<Payload> {
  /** Checked before it is stored. */
  readonly result: Result;
  /**
   * Only the coach calls it, once, at its start. What the handler alone needs is imported here, by `await import(...)`: so the
   * monolith, which reads the schemas, does not load it.
   */
  handler():
    | RunJob<Static<Payload>, Static<Result>>
    | Promise<RunJob<Static<Payload>, Static<Result>>>;
}

/** A kind whose effect is more than a result: coach/src/handlers/ has its handler, which stores many effects at once. */
export interface EffectKind<Payload extends TSchema = TSchema> extends AnyKind<Payload> {
  readonly result?: undefined;
  /** What `POST /jobs` takes in place of the payload, where the monolith makes the payload of it. */
  readonly request: TSchema;
}

export type JobKind = ResultKind | EffectKind;

/** Types the handler by the schemas. */
export function defineKind<
  const Name extends string,
  Payload extends TSchema,
  Result extends TSchema,
>(
  kind: ResultKind<Payload, Result> & { readonly name: Name },
): Omit<ResultKind, 'payload'> & { readonly name: Name; readonly payload: Payload } {
  // Payloads are checked before each attempt, so the handler gets what it is typed for.
  return kind as unknown as ResultKind & { readonly name: Name; readonly payload: Payload };
}
