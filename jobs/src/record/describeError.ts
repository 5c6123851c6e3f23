/** Describes a thrown value for a job record. */
import { errorClass, errorMessage, fingerprint } from '@fit/topology';
import type { AttemptError } from './jobRecord.ts';

/**
 * The worker writes the same class and message on the job's dead letter, so that both have one fingerprint.
 * @returns class and message of at most 500 characters each, and fingerprint of anything that was thrown.
 */
export function describeError(thrown: unknown): AttemptError {
  const [name, message] = [errorClass(thrown), errorMessage(thrown)];
  return { class: name, message, fingerprint: fingerprint(name, message) };
}
