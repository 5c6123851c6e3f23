/** Describes a thrown value for a job record. */
import { fingerprint } from '@fit/topology';
import type { AttemptError } from './jobRecord.ts';

const MESSAGE_LIMIT_CHARS = 500;

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
