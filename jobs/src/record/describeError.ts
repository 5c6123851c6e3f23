/** Describes a thrown value for a job record. */
import { fingerprint } from '@fit/topology';
import type { AttemptError } from './jobRecord.ts';

const MESSAGE_LIMIT_CHARS = 500;

/** @returns class, message of at most 500 characters, and fingerprint of anything that was thrown. */
export function describeError(thrown: unknown): AttemptError {
  const errorClass = thrown instanceof Error ? thrown.name : typeof thrown;
  const text = thrown instanceof Error ? thrown.message : textOf(thrown);
  const message = text.slice(0, MESSAGE_LIMIT_CHARS);
  return { class: errorClass, message, fingerprint: fingerprint(errorClass, message) };
}

/** `String` throws for some objects, such as one without a prototype; such an error must not end the worker that reports it. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'unprintable';
  }
}
