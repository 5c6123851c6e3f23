/** Failures alike get one fingerprint, so that a thousand letters read as three groups. */
import { createHash } from 'node:crypto';

const MESSAGE_LIMIT_CHARS = 500;

/** @returns 12 hex digits, the same for ever; numbers and hex ids in the message do not count. */
export function fingerprint(errorClass: string, message: string): string {
  const shape = message.replaceAll(/[0-9a-f]{8,}|\d+/gi, '#').slice(0, MESSAGE_LIMIT_CHARS);
  return createHash('sha256').update(`${errorClass}\n${shape}`).digest('hex').slice(0, 12);
}
