/** What the headers of a dead letter say about its death: shared by the job records and by the operator's tools. */
import { createHash } from 'node:crypto';
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { CAUSE_HEADER, type DeathCause, deathCause, isByWorker } from './deathCause.ts';
import { REPLAYED_AT_HEADER } from './eligibleAt.ts';
import type { Headers } from './xDeath.ts';

/** Header with the class of the handler's error. */
export const ERROR_CLASS_HEADER = 'death-class';
/** Header with the message of the handler's error. */
export const ERROR_MESSAGE_HEADER = 'death-message';
/** Header with the stack of the handler's error. */
export const STACK_HEADER = 'death-stack';
/** Header with the number of the attempt that failed last, counted from 1; 0 if none was begun. */
export const ATTEMPT_HEADER = 'death-attempt';
/** Header with the name of the worker. */
export const WORKER_HEADER = 'death-worker';

const TEXT_LIMIT_CHARS = 500;
const STACK_LIMIT_CHARS = 2_000;

/** What a worker wrote about a message before it let the broker dead-letter it. Any client can have written it. */
export interface DeathNote {
  /** Of the note: `noteIdOf` of the id of the message that died. */
  readonly messageId: string;
  readonly headers: Headers;
  /** When the worker wrote it; undefined if it has no plausible time. */
  readonly at: Date | undefined;
}

/** Why a message died. */
export interface DeathDescription {
  /** Cause of the death. */
  readonly cause: DeathCause;
  /** Class of the handler's error, at most 500 characters; the cause if the broker dead-lettered the message. */
  readonly errorClass: string;
  /** Message of that error, at most 500 characters; the cause if the broker dead-lettered the message. */
  readonly message: string;
  /** As `fingerprint` of error class and message. */
  readonly fingerprint: string;
  /** Stack of that error, at most 2,000 characters; undefined if none is known. */
  readonly stack: string | undefined;
  /** Number of the last attempt, counted from 1; undefined if none is known to have begun. */
  readonly attempt: number | undefined;
}

/**
 * An exhausted message was rejected, which carries no error, so its note tells the error. Never throws: any client can have
 * written any header.
 * @param note the newest note of this message; it counts for an exhausted message only.
 */
export function describeDeath(
  kind: KindDeclaration,
  routingKey: string,
  headers: Headers,
  note?: Pick<DeathNote, 'headers'>,
): DeathDescription {
  const cause = deathCause(kind, routingKey, headers);
  const told = cause === 'exhausted' && note !== undefined ? note.headers : headers;
  const errorClass = textOr(told[ERROR_CLASS_HEADER], cause);
  const message = textOr(told[ERROR_MESSAGE_HEADER], cause);
  const { [STACK_HEADER]: stack, [ATTEMPT_HEADER]: attempt } = told;
  return {
    cause,
    errorClass,
    message,
    fingerprint: fingerprint(errorClass, message),
    stack:
      typeof stack === 'string' && stack !== '' ? stack.slice(0, STACK_LIMIT_CHARS) : undefined,
    attempt: typeof attempt === 'number' && attempt >= 1 ? attempt : undefined,
  };
}

/**
 * A worker publishes a dead letter, and acknowledges its message afterwards. Killed in between, it or another worker does both
 * again, so one death may have two dead letters. A replay makes another death.
 * Body and headers of its publisher keep a message that somebody else published under the same id from passing for a copy.
 * @returns what the dead letters of one death have in common and others have not; undefined for one that the broker made,
 * which is the only one of its death, and for one without a message id.
 */
export function deathIdentity({ messageId, headers, body }: DeathSource): string | undefined {
  if (messageId === undefined || !isByWorker(headers)) return undefined;
  return JSON.stringify([
    messageId,
    headers[CAUSE_HEADER],
    numberOr0(headers[ATTEMPT_HEADER]),
    numberOr0(headers[REPLAYED_AT_HEADER]),
    ownHeaders(headers),
    createHash('sha256').update(body).digest('base64'),
  ]);
}

/** Headers of the publisher: those of broker and worker differ between two copies. */
function ownHeaders(headers: Headers): [string, unknown][] {
  return Object.entries(headers).filter(([name]) => !/^(?:x|death)-/.test(name));
}

/** A dead letter as it was delivered. */
export interface DeathSource {
  readonly messageId: string | undefined;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

function numberOr0(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/**
 * Groups failures that differ only in numbers and ids, so that a thousand dead jobs are listed as three groups.
 * @returns 12 hexadecimal digits, the same in every release. Numbers and hexadecimal ids in the message do not count.
 */
export function fingerprint(errorClass: string, message: string): string {
  const shape = message.replaceAll(/[0-9a-f]{8,}|\d+/gi, '#').slice(0, TEXT_LIMIT_CHARS);
  return createHash('sha256').update(`${errorClass}\n${shape}`).digest('hex').slice(0, 12);
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value.slice(0, TEXT_LIMIT_CHARS) : fallback;
}
