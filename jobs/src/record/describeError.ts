/** Describes a thrown value for a job record. */
import { errorMessage, fingerprint } from '@fit/topology';
import type { AttemptError } from './jobRecord.ts';

const MESSAGE_LIMIT_CHARS = 500;

/** @returns class, message of at most 500 characters, and fingerprint of anything that was thrown. */
export function describeError(thrown: unknown): AttemptError {
  const errorClass = thrown instanceof Error ? thrown.name : typeof thrown;
  const message = errorMessage(thrown).slice(0, MESSAGE_LIMIT_CHARS);
  return { class: errorClass, message, fingerprint: fingerprint(errorClass, message) };
}
