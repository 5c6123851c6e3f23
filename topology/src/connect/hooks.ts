/** What a program may watch and wrap: events for logs and metrics, and the run of attempts and publishes for traces. */
import type { DeathCause } from '../retry/deathCause.ts';
import type { PublishErrorCode } from './publishError.ts';

/** Which attempt of a message runs. */
export interface AttemptInfo {
  /** Counted from 1; repeats that are immediate count too. */
  readonly number: number;
  /** Attempts at most. */
  readonly of: number;
  /** True if a failure of this attempt makes the message a dead letter. */
  readonly isLast: boolean;
  /** Milliseconds of the wait that a failure leads to; undefined where none follows. */
  readonly nextDelayMs: number | undefined;
  /** Name of the queue in the topology. */
  readonly queue: string;
  /** Id of the message; empty if its publisher set none. */
  readonly id: string;
}

/** A message on its way out. */
export interface OutgoingInfo {
  /** Name of the message. */
  readonly type: string;
  readonly id: string;
  /** May be added to, for example by the context of a trace. */
  readonly headers: Record<string, string | number>;
}

/** One thing that happened. */
export type TopologyEvent =
  /**
   * A connection is up, was lost, or could not be opened or set up; or the broker closed a channel on it. It is tried again.
   */
  | {
      readonly type: 'connected' | 'disconnected' | 'connectFailed' | 'channelFailed';
      readonly purpose: 'publish' | 'consume';
      readonly error?: Error;
    }
  /** A memory or disk alarm of the broker blocks publishers, or does so no more. */
  | { readonly type: 'blocked' | 'unblocked'; readonly reason?: string }
  /** The topology on the broker is not as it should be, or cannot be checked; see the list of codes. */
  | {
      readonly type: 'warning';
      readonly code: string;
      readonly subject: string;
      readonly remedy: string;
    }
  /** An attempt ended. */
  | {
      readonly type: 'attempt';
      readonly queue: string;
      readonly message: string;
      readonly outcome: 'done' | 'retry' | 'reject' | 'discard';
      readonly error?: unknown;
      /** Of a discarded message. */
      readonly reason?: string;
      readonly durationMs: number;
      readonly attempt: AttemptInfo;
    }
  /** A worker sent a message to the dead-letter queue, or let the broker do it after the last attempt. */
  | {
      readonly type: 'deadLettered';
      readonly queue: string;
      readonly cause: 'fatal' | 'exhausted' | 'refused';
      readonly error?: string;
    }
  /** A handler returned what is no outcome; the attempt counts as failed. */
  | { readonly type: 'invalidOutcome'; readonly queue: string; readonly error: Error }
  /** `settle` failed, so the attempt counts as failed although its handler ended. */
  | { readonly type: 'settleFailed'; readonly queue: string; readonly error: unknown }
  /** A handler of dead letters ended. */
  | {
      readonly type: 'deadLetter';
      readonly queue: string;
      readonly cause: DeathCause;
      readonly outcome: 'done' | 'replay' | 'keep' | 'failed';
      readonly error?: unknown;
    }
  /** A publish ended. Exchange and key are empty where nothing was sent. */
  | {
      readonly type: 'published';
      readonly message: string;
      readonly exchange: string;
      readonly key: string;
      readonly result: 'confirmed' | PublishErrorCode;
      readonly durationMs: number;
    }
  /** A worker published a copy of a message: a dead letter, or one for a later wait. */
  | {
      readonly type: 'republished';
      readonly queue: string;
      readonly exchange: string;
      readonly key: string;
      readonly result: 'confirmed' | PublishErrorCode;
      readonly durationMs: number;
    }
  /** The broker delivered a message before; perhaps its worker crashed. */
  | { readonly type: 'redelivered'; readonly queue: string }
  /** The routing key and the broker's record of rejections disagree about the attempt, as after a message was published again. */
  | { readonly type: 'attemptMismatch'; readonly queue: string; readonly attempt: number }
  /** Messages are pulled one by one because of messages that may crash the process, or by the prefetch again. */
  | { readonly type: 'quarantine'; readonly queue: string; readonly mode: 'oneByOne' | 'prefetch' }
  /** The circuit breaker of a worker has another state. Unless it is closed: its pause, and the class of the common error. */
  | {
      readonly type: 'breaker';
      readonly queue: string;
      readonly state: 'closed' | 'open' | 'probing';
      readonly pauseMs?: number;
      readonly errorClass?: string;
    };

/** All are optional. */
export interface Hooks {
  /** For logs and metrics. What it throws is told once, and otherwise ignored. */
  readonly onEvent?: (event: TopologyEvent) => void;
  /**
   * For traces and for context such as AsyncLocalStorage; must call `run` once and return its result. What became of the
   * attempt is what `run` says, whatever the hook throws or returns.
   */
  readonly aroundAttempt?: <Result>(
    attempt: AttemptInfo,
    message: { readonly type: string; readonly headers: Readonly<Record<string, unknown>> },
    run: () => Promise<Result>,
  ) => Promise<Result>;
  /** The same for a publish, with the headers that it sends. */
  readonly aroundPublish?: <Result>(
    message: OutgoingInfo,
    run: () => Promise<Result>,
  ) => Promise<Result>;
}

/** Where lines for people go. */
export type Logger = Pick<Console, 'info' | 'warn' | 'error'>;

/**
 * @returns a function that tells all hooks, and warns once of one that throws. Without a listener, faults of a handler are
 * warnings, which nobody would hear of otherwise.
 */
export function teller(
  hooks: readonly (Hooks | undefined)[],
  logger: Logger,
): (event: TopologyEvent) => void {
  const listeners = hooks.flatMap((one) => (one?.onEvent === undefined ? [] : [one.onEvent]));
  const warn = throttledWarning(logger);
  let hasWarned = false;
  return (event) => {
    if (
      listeners.length === 0 &&
      (event.type === 'settleFailed' || event.type === 'invalidOutcome')
    )
      warn(
        `${event.type} ${event.queue}`,
        `topology: ${event.type} in queue '${event.queue}', so the attempt failed: ${String(event.error)}`,
      );
    for (const listener of listeners)
      try {
        listener(event);
      } catch (error) {
        if (!hasWarned) logger.warn(`onEvent threw at an event '${event.type}': ${String(error)}`);
        hasWarned = true;
      }
  };
}

/** No hook called the `run` that it was given, so nothing was run. */
export class RunNotCalled extends Error {
  override readonly name = 'RunNotCalled';
}

/**
 * Runs something inside hooks, the first one outermost. Its result is that of `run`, whatever hooks throw or return in its
 * place: a broken trace must not make a message that was confirmed a failed one, nor the other way round.
 * @param onHookError is told what a hook threw by itself after it had called `run`.
 * @throws what `run` throws; what a hook throws that did not call it; RunNotCalled if none threw and none called it.
 */
export async function runThroughHooks<Result>(
  hooks: readonly ((run: () => Promise<Result>) => Promise<Result>)[],
  run: () => Promise<Result>,
  onHookError: (error: unknown) => void,
): Promise<Result> {
  let running: Promise<Result> | undefined;
  const runOnce = (): Promise<Result> => {
    if (running !== undefined) return running;
    running = run();
    // A hook may forget to wait for it.
    running.catch(() => undefined);
    return running;
  };
  const wrapped = hooks.reduceRight<() => Promise<Result>>(
    (inner, hook) => () => hook(inner),
    runOnce,
  );
  const [hooked] = await Promise.allSettled([(async () => await wrapped())()]);
  if (running === undefined) {
    if (hooked.status === 'rejected') throw hooked.reason;
    throw new RunNotCalled('a hook did not call run');
  }
  const [ended] = await Promise.allSettled([running]);
  if (hooked.status === 'rejected') {
    const isOfRun = ended.status === 'rejected' && ended.reason === hooked.reason;
    if (!isOfRun) onHookError(hooked.reason);
  }
  if (ended.status === 'rejected') throw ended.reason;
  return ended.value;
}

const REPEATED_AFTER_MS = 60_000;

/** @returns a function that writes a warning, unless it wrote one of the same kind within the last minute. */
export function throttledWarning(logger: Logger): (kind: string, text: string) => void {
  const writtenAtMs = new Map<string, number>();
  return (kind, text) => {
    const nowMs = performance.now();
    for (const [other, atMs] of writtenAtMs)
      if (nowMs - atMs >= REPEATED_AFTER_MS) writtenAtMs.delete(other);
    if (writtenAtMs.has(kind)) return;
    writtenAtMs.set(kind, nowMs);
    logger.warn(text);
  };
}
