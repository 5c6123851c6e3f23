/** What the headers of a dead letter say about its death: shared by the job records and by the operator's tools. */
import { createHash } from 'node:crypto';
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { type DeathCause, deathCause } from './deathCause.ts';
import type { Headers } from './xDeath.ts';

/** Header with the class of the handler's error. */
export const ERROR_CLASS_HEADER = 'death-class';
/** Header with the message of the handler's error. */
export const ERROR_MESSAGE_HEADER = 'death-message';

const TEXT_LIMIT_CHARS = 500;

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
}

/** Never throws: any client can have written any header. */
export function describeDeath(
  kind: KindDeclaration,
  routingKey: string,
  headers: Headers,
): DeathDescription {
  const cause = deathCause(kind, routingKey, headers);
  const errorClass = textOr(headers[ERROR_CLASS_HEADER], cause);
  const message = textOr(headers[ERROR_MESSAGE_HEADER], cause);
  return { cause, errorClass, message, fingerprint: fingerprint(errorClass, message) };
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
