/** The kinds of job that somebody opens: their schemas and retries, and the topology that is made of them. */

import {
  type Declaration,
  type Duration,
  declareTopology,
  type KindOptions,
  type RetryPolicy,
} from '@fit/topology';
import type { StandardSchemaV1 } from '@standard-schema/spec';

export interface JobKind {
  /** Checks and types the payload, when a job is enqueued and before each attempt: any Standard Schema (Zod, Valibot, ArkType). */
  readonly payload: StandardSchemaV1;
  /**
   * Checks and types what the handler returns. With it the result is stored once for each job and `get` answers it; without it
   * the answer of the handler is ignored.
   */
  readonly result?: StandardSchemaV1;
  /**
   * Waits between attempts, rising, at most ten; n waits make n + 1 attempts. `jitter`: share of each wait, above 0 and at most
   * 1, by which waits are lengthened, so that jobs that fail together come back apart; each wait is three queues then.
   */
  readonly retry: Pick<RetryPolicy, 'delays' | 'jitter'>;
  /** Longest time of one attempt; default 60 s. */
  readonly deadline?: Duration;
  /** Messages that the main queue holds at most; default 10,000. More jobs than that wait in the database. */
  readonly maxLength?: number;
  /** Ended jobs of this kind and their results are deleted this many days after they were published; default that of `openJobs`. */
  readonly keepDays?: number;
  /**
   * Names of two to five priorities for `enqueue`, from lowest to highest. Jobs without one have the middle level, of an even
   * number the lower of the two in the middle; those above it pass others in the database as well. Two need RabbitMQ 4.0, more
   * need 4.3. Default none.
   */
  readonly priorities?: readonly string[];
}

/** Kinds by name. A name has no colon. */
export type JobKinds = Readonly<Record<string, JobKind>>;

/**
 * @param exchange the topic exchange of all kinds; the main queue of a kind is `<exchange>.<kind>`.
 * @throws TopologyError `DECLARATION_INVALID` with every fault; TypeError for a name with a colon.
 */
export function declareKinds(kinds: JobKinds, exchange: string): Declaration {
  const declared: Record<string, KindOptions> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    if (name.includes(':'))
      throw new TypeError(`the kind '${name}' has a colon, which separates kind and key of an id`);
    declared[name] = {
      key: name,
      queue: `${exchange}.${name}`,
      tiers: kind.retry.delays,
      ...(kind.retry.jitter === undefined ? {} : { jitter: kind.retry.jitter }),
      ...(kind.deadline === undefined ? {} : { deadline: kind.deadline }),
      ...(kind.maxLength === undefined ? {} : { maxLength: kind.maxLength }),
      ...(kind.priorities === undefined ? {} : { priorities: kind.priorities }),
    };
  }
  return declareTopology({ exchange, kinds: declared });
}

/** What a check of a value by its schema found. */
export type Checked =
  | { readonly value: unknown; readonly fault?: undefined }
  | {
      /** The first issue as 'path: reason'. */
      readonly fault: string;
      /** Its path with dots, such as `items.0`; empty where the value as a whole is wrong. */
      readonly path: string;
    };

const FAULT_LIMIT_CHARS = 300;

/** Never throws for a value, unless the schema itself has a defect. */
export async function checkValue(schema: StandardSchemaV1, value: unknown): Promise<Checked> {
  const result = await schema['~standard'].validate(value);
  const [issue] = result.issues ?? [];
  if (result.issues === undefined) return { value: result.value };
  const path = (issue?.path ?? []).map((part) =>
    String(typeof part === 'object' ? part.key : part),
  );
  const fault = `/${path.join('/')}: ${issue?.message ?? 'not as declared'}`;
  return {
    fault: fault.slice(0, FAULT_LIMIT_CHARS),
    path: path.join('.').slice(0, FAULT_LIMIT_CHARS),
  };
}
