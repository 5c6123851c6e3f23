/**
 * Signs the messages of jobs. Any client of the broker can publish any content; a signed message comes from a process that
 * can read the database, so a worker need not compare it with the job's record. Pure, except for the random key.
 */
import { hash, randomBytes } from 'node:crypto';

/** Header with the signature in base64url. */
export const SIGNATURE_HEADER = 'signature';

const KEY_BYTES = 32;
/** Sizes of SHA-256, as HMAC needs them. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** @returns a new key as text. */
export function newMessageKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url');
}

/**
 * HMAC-SHA-256 (RFC 2104), made of two calls of `hash`: the objects of `createHmac` cost a worker a tenth of its processor
 * time, most of it garbage. The digests are text, because a digest in a `Buffer` takes twice as long (both measured).
 */
export class MessageSigner {
  /** The padded key, followed by what is signed; the buffer is used again for each message. */
  #inner: Buffer;
  readonly #outer: Buffer;

  /** @param key as `newMessageKey` makes it. */
  constructor(key: string) {
    const padded = Buffer.alloc(BLOCK_BYTES);
    Buffer.from(key, 'base64url').copy(padded, 0, 0, KEY_BYTES);
    this.#inner = Buffer.alloc(4_096);
    this.#outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
    for (const [index, byte] of padded.entries()) {
      this.#inner[index] = byte ^ 0x36;
      this.#outer[index] = byte ^ 0x5c;
    }
  }

  /** @param body of a message; it names the run that counts the end of the job, so that the run is signed as well. */
  sign(body: Buffer): string {
    const neededBytes = BLOCK_BYTES + body.byteLength;
    if (neededBytes > this.#inner.byteLength) {
      const larger = Buffer.alloc(2 * neededBytes);
      this.#inner.copy(larger, 0, 0, BLOCK_BYTES);
      this.#inner = larger;
    }
    body.copy(this.#inner, BLOCK_BYTES);
    const inner = hash('sha256', this.#inner.subarray(0, neededBytes), 'binary');
    this.#outer.write(inner, BLOCK_BYTES, 'latin1');
    return hash('sha256', this.#outer, 'base64url');
  }

  /** @param signature header of a message; any value. */
  accepts(signature: unknown, body: Buffer): boolean {
    return typeof signature === 'string' && isSameText(signature, this.sign(body));
  }
}

/** The time does not depend on where the texts differ, so that a publisher cannot learn a signature by trying. */
function isSameText(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let difference = 0;
  for (let index = 0; index < expected.length; index += 1)
    difference |= given.charCodeAt(index) ^ expected.charCodeAt(index);
  return difference === 0;
}
