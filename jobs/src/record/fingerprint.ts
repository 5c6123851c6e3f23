/** Failures alike get one fingerprint, so that a thousand dead jobs read as three groups. */
import { createHash } from 'node:crypto';
import type { AttemptError } from './jobRecord.ts';

const MESSAGE_LIMIT_CHARS = 500;

/** @returns 12 hex digits; numbers and hex ids in the message do not count. */
export function fingerprint(errorClass: string, message: string): string {
  const shape = message.replaceAll(/[0-9a-f]{8,}|\d+/gi, '#').slice(0, MESSAGE_LIMIT_CHARS);
  return createHash('sha256').update(`${errorClass}\n${shape}`).digest('hex').slice(0, 12);
}

/** Anything thrown, as a record: class, bounded message, fingerprint. */
export function describeError(thrown: unknown): AttemptError {
  const errorClass = thrown instanceof Error ? thrown.name : typeof thrown;
  const text = thrown instanceof Error ? thrown.message : printed(thrown);
  const message = text.slice(0, MESSAGE_LIMIT_CHARS);
  return { class: errorClass, message, fingerprint: fingerprint(errorClass, message) };
}

/** An object may refuse to become text; that must not end the worker that reports it. */
function printed(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'unprintable';
  }
}
