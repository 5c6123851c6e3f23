/** Runs one statement with a limit on the server, and repeats it where repeating helps. */
import { setTimeout as pause } from 'node:timers/promises';
import { type StoreFailure, storeFailureOf } from './storeFailure.ts';

/**
 * The server ends a statement after this time, and undoes it: a client that goes away ends none, and statements that
 * block each other would run on for minutes (measured). Below the driver's socket timeout, so that the reason arrives.
 */
export const STATEMENT_LIMIT_MS = 8_000;
/** No further try of a statement begins after this time. */
export const RETRY_BUDGET_MS = 10_000;
/** Tries of one statement, the first one included. */
export const TRY_LIMIT = 6;

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;

/** The database could not do a statement, for a reason that passes: try again later. Nothing is wrong with the data. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** `contention`: it works, but other statements were in the way at every try; that is no outage. */
  readonly reason: 'contention' | 'outage';

  constructor(reason: StoreUnavailable['reason'], cause: unknown) {
    super(messageOf(cause), { cause });
    this.reason = reason;
  }
}

/** The database works, and refuses this statement: a document that it cannot take, or a defect of ours. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

/** A unique key is taken; `cause` is the driver's error. */
export class DuplicateKey extends Error {
  override readonly name = 'DuplicateKey';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

/** What a statement is given: to be passed to the driver's call. */
export interface StatementOptions {
  readonly maxTimeMS: number;
}

/** How long, how often; the defaults are the constants of this file. */
export interface StatementLimits {
  readonly statementMs: number;
  readonly budgetMs: number;
  readonly tryCount: number;
}

export const STATEMENT_LIMITS: StatementLimits = {
  statementMs: STATEMENT_LIMIT_MS,
  budgetMs: RETRY_BUDGET_MS,
  tryCount: TRY_LIMIT,
};

/**
 * For tasks that run under a lease, and for the lease itself: a task that waits longer for one statement than its lease
 * lasts would work beside the next holder. One statement takes at most `budgetMs` and a last try; that ends at
 * `statementMs` where the server answers, and at the socket timeout of ten seconds where it does not
 * (`longestStatementMs`). What fails is done by the next round.
 */
export const BACKGROUND_LIMITS: StatementLimits = {
  statementMs: 3_000,
  budgetMs: 1_000,
  tryCount: TRY_LIMIT,
};

/** A server that says nothing for this long is given up on: the longest that one try waits for its answer. */
export const SOCKET_TIMEOUT_MS = 10_000;

/** @returns how long one statement may take with these limits, once it has a connection, in milliseconds. */
export function longestStatementMs({ statementMs, budgetMs, tryCount }: StatementLimits): number {
  const tryMs = Math.max(statementMs, SOCKET_TIMEOUT_MS);
  return tryCount === 1 ? tryMs : budgetMs + tryMs;
}

const REPEATED: ReadonlySet<StoreFailure> = new Set(['contention', 'timeout', 'network']);

/**
 * Statements are repeated with growing random pauses, so that two which met do not meet again. Each must be safe to
 * repeat: after a lost connection its effect is unknown, so it is done at least once.
 * @throws StoreUnavailable, StatementRefused, DuplicateKey; each with the driver's error as its cause.
 */
export async function runStatement<Answer>(
  statement: (options: StatementOptions) => Promise<Answer>,
  limits: StatementLimits = STATEMENT_LIMITS,
): Promise<Answer> {
  const startedAt = performance.now();
  for (let tryNumber = 1; ; tryNumber += 1) {
    try {
      return await statement({ maxTimeMS: limits.statementMs });
    } catch (thrown) {
      const failure = storeFailureOf(thrown);
      const isSpent =
        tryNumber >= limits.tryCount || performance.now() - startedAt >= limits.budgetMs;
      if (isSpent || !REPEATED.has(failure)) throw errorOf(failure, thrown);
    }
    const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** (tryNumber - 1), LONGEST_PAUSE_MS);
    await pause(Math.random() * longestMs);
  }
}

function errorOf(failure: StoreFailure, cause: unknown): Error {
  if (failure === 'refused') return new StatementRefused(cause);
  if (failure === 'duplicate') return new DuplicateKey(cause);
  return new StoreUnavailable(failure === 'contention' ? 'contention' : 'outage', cause);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
