/**
 * Signs the messages of jobs. Any client of the broker can publish any content; a signed message comes from a process that
 * can read the database, so a worker need not compare it with the job's record. Pure, except for the random key.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Header with the signature in base64url. */
export const SIGNATURE_HEADER = 'signature';

const KEY_BYTES = 32;
/** Sizes of SHA-256, as HMAC needs them. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** A longer run id was not made by FIT, and would make the buffer grow. */
const RUN_ID_LIMIT_CHARS = 100;

/** @returns a new key as text. */
export function newMessageKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url');
}

/**
 * HMAC-SHA-256 (RFC 2104), made of two calls of `hash`: the objects of `createHmac` cost a worker a tenth of its processor
 * time, most of it garbage (measured).
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

  /** @param runId is signed as well, because a worker counts the end of the job for this run. */
  sign(runId: string, body: Buffer): string {
    return this.#digest(runId, body).toString('base64url');
  }

  /** @param signature header of a message; any value. */
  accepts(signature: unknown, runId: unknown, body: Buffer): boolean {
    if (typeof signature !== 'string' || typeof runId !== 'string') return false;
    if (runId.length > RUN_ID_LIMIT_CHARS) return false;
    const given = Buffer.from(signature, 'base64url');
    return given.byteLength === DIGEST_BYTES && timingSafeEqual(given, this.#digest(runId, body));
  }

  #digest(runId: string, body: Buffer): Buffer {
    const neededBytes = BLOCK_BYTES + Buffer.byteLength(runId) + 1 + body.byteLength;
    if (neededBytes > this.#inner.byteLength) {
      const larger = Buffer.alloc(2 * neededBytes);
      this.#inner.copy(larger, 0, 0, BLOCK_BYTES);
      this.#inner = larger;
    }
    const inner = this.#inner;
    let end = BLOCK_BYTES + inner.write(runId, BLOCK_BYTES);
    end += inner.write('\n', end);
    end += body.copy(inner, end);
    hash('sha256', inner.subarray(0, end), 'buffer').copy(this.#outer, BLOCK_BYTES);
    return hash('sha256', this.#outer, 'buffer');
  }
}
