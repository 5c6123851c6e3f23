/** Runs one statement with a time limit on the server, and repeats it where that helps. */
import { setTimeout as pause } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import { type StoreFailure, storeFailureOf } from './storeFailure.ts';

/**
 * The server ends a statement after this time and undoes it. A client that disconnects does not end its statement, and
 * statements that block each other would run for minutes (measured). The limit is below the driver's socket timeout, so that
 * the reason arrives.
 */
export const STATEMENT_LIMIT_MS = 8_000;
/** No further try of a statement begins after this time, in milliseconds. */
export const RETRY_BUDGET_MS = 10_000;
/** Tries of one statement, the first one included. */
export const TRY_LIMIT = 6;

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;

/** The database could not run a statement for a temporary reason. The data is not the reason; try again later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** `contention`: the database works, but other statements blocked this one at every try; this is no outage. */
  readonly reason: 'contention' | 'outage';

  constructor(reason: StoreUnavailable['reason'], cause: unknown) {
    super(messageOf(cause), { cause });
    this.reason = reason;
  }
}

/** The database works and refuses this statement: it cannot store a document, or the statement has a defect. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

/** A document with this unique key exists; `cause` is the driver's error. */
export class DuplicateKey extends Error {
  override readonly name = 'DuplicateKey';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

/** Options for the driver's call of a statement. */
export interface StatementOptions {
  readonly maxTimeMS: number;
}

/** Limits of one statement; the defaults are the constants of this file. */
export interface StatementLimits {
  readonly statementMs: number;
  readonly budgetMs: number;
  readonly tryCount: number;
  /** After this time `StoreUnavailable` is thrown, whatever the driver still waits for, and the effect is unknown. Default: no such limit. */
  readonly answerMs?: number;
}

export const STATEMENT_LIMITS: StatementLimits = {
  statementMs: STATEMENT_LIMIT_MS,
  budgetMs: RETRY_BUDGET_MS,
  tryCount: TRY_LIMIT,
};

/**
 * Limits for background tasks and for their leases. A task that waits longer for a statement than its lease lasts would work at
 * the same time as the next holder. One statement takes at most `budgetMs` and a last try, which ends at `statementMs` where the
 * server answers, and at the socket timeout of ten seconds where it does not (`longestStatementMs`). The next round repeats
 * what failed.
 */
export const BACKGROUND_LIMITS: StatementLimits = {
  statementMs: 3_000,
  budgetMs: 1_000,
  tryCount: TRY_LIMIT,
};

/**
 * Limits for statements that find or write documents by their key while a client waits, such as those of a log-in. A silent server
 * is found out by the driver only after `SOCKET_TIMEOUT_MS`, after which it repeats a read by itself: clients waited for 14 seconds.
 */
export const LOOKUP_LIMITS: StatementLimits = {
  statementMs: 3_000,
  budgetMs: 3_000,
  tryCount: TRY_LIMIT,
  answerMs: 4_000,
};

/**
 * Limits for all other statements of requests, such as a page of a list. The longest of them count or search tens of thousands of
 * documents.
 */
export const REQUEST_LIMITS: StatementLimits = {
  statementMs: 5_000,
  budgetMs: 3_000,
  tryCount: TRY_LIMIT,
  answerMs: 6_000,
};

/** The driver abandons a connection whose server does not answer for this long, so one try takes no longer. */
export const SOCKET_TIMEOUT_MS = 10_000;

/** @returns how long one statement may take with these limits, once it has a connection, in milliseconds. */
export function longestStatementMs({ statementMs, budgetMs, tryCount }: StatementLimits): number {
  const tryMs = Math.max(statementMs, SOCKET_TIMEOUT_MS);
  return tryCount === 1 ? tryMs : budgetMs + tryMs;
}

const REPEATED_FAILURES: ReadonlySet<StoreFailure> = new Set(['contention', 'timeout', 'network']);

/** Runs statements on one open connection with one set of limits, as `runStatement`, and reports each try under its name. */
export type StatementRunner = <Answer>(
  command: string,
  statement: (options: StatementOptions) => Promise<Answer>,
) => Promise<Answer>;

/**
 * Repeats a statement after random pauses that grow, so that two statements that blocked each other do not meet again. A
 * statement must be safe to repeat: after a lost connection its effect is unknown, so it may run more than once.
 * @throws StoreUnavailable, StatementRefused, DuplicateKey; each with the driver's error as its cause.
 */
export async function runStatement<Answer>(
  statement: (options: StatementOptions) => Promise<Answer>,
  limits: StatementLimits = STATEMENT_LIMITS,
): Promise<Answer> {
  const answer = runTries(statement, limits);
  const { answerMs } = limits;
  if (answerMs === undefined) return await answer;
  return await pTimeout(answer, {
    milliseconds: answerMs,
    fallback: () => {
      throw new StoreUnavailable('outage', new Error(`no answer within ${answerMs} ms`));
    },
  });
}

async function runTries<Answer>(
  statement: (options: StatementOptions) => Promise<Answer>,
  limits: StatementLimits,
): Promise<Answer> {
  const startedAt = performance.now();
  for (let tryNumber = 1; ; tryNumber += 1) {
    try {
      return await statement({ maxTimeMS: limits.statementMs });
    } catch (thrown) {
      const failure = storeFailureOf(thrown);
      const isBudgetSpent =
        tryNumber >= limits.tryCount || performance.now() - startedAt >= limits.budgetMs;
      if (isBudgetSpent || !REPEATED_FAILURES.has(failure)) throw errorOf(failure, thrown);
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
