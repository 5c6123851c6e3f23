/**
 * Passwords: what is accepted, and their hashes by Argon2id with the parameters that OWASP's Password Storage Cheat Sheet names as the
 * minimum (19 MiB, 2 passes, 1 lane). Node's own implementation is used.
 */
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { BUSY, Problem } from '@fit/service';
import pLimit from 'p-limit';

export const PASSWORD_MIN_CHARS = 8;
/** Bounds what is hashed; a passphrase of 20 words has 150. */
export const PASSWORD_MAX_BYTES = 1_024;

const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Each hash takes 19 MiB and a thread of the four that the process has for files and names as well. */
const HASHES_AT_A_TIME = 2;
/** Requests that wait for a hash; one more is answered with 503. A hash takes some 50 ms, so the last one waits below a second. */
const WAITING_LIMIT = 32;

const limit = pLimit(HASHES_AT_A_TIME);

/**
 * There are no rules about kinds of characters, because they make passwords worse (NIST SP 800-63B), and no list of common passwords:
 * the walk of the README begins with `password123`.
 * @returns why the password cannot be used; undefined if it can.
 */
export function faultOfPassword(password: string): string | undefined {
  if (!password.isWellFormed()) return 'is no valid Unicode text';
  const normalized = password.normalize('NFC');
  if (Array.from(normalized).length < PASSWORD_MIN_CHARS)
    return `must have at least ${PASSWORD_MIN_CHARS} characters`;
  return Buffer.byteLength(normalized) > PASSWORD_MAX_BYTES
    ? `must have at most ${PASSWORD_MAX_BYTES} bytes`
    : undefined;
}

/** @returns the hash as a PHC string, with its parameters and salt. @throws Problem 503 `busy` */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const parameters = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES };
  const tag = await derive(password, { ...parameters, nonce: salt, tagLength: TAG_BYTES });
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(salt)}$${base64(tag)}`;
}

/** A hash of no password, with which an unknown e-mail address costs the same time as a wrong password. */
const NO_HASH = `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(randomBytes(SALT_BYTES))}$${base64(randomBytes(TAG_BYTES))}`;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

/**
 * @param hash of `hashPassword`; undefined: the password is compared with a hash that none has.
 * @throws Problem 503 `busy`
 */
export async function isPassword(password: string, hash: string = NO_HASH): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', tag = ''] = PHC.exec(hash) ?? [];
  const expected = Buffer.from(tag, 'base64');
  const given = await derive(password, {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    nonce: Buffer.from(salt, 'base64'),
    tagLength: expected.length,
  });
  return timingSafeEqual(given, expected);
}

async function derive(
  password: string,
  parameters: Omit<Argon2Parameters, 'message'>,
): Promise<Buffer> {
  if (limit.pendingCount >= WAITING_LIMIT)
    throw new Problem({
      ...BUSY,
      title: 'This process checks as many passwords as it can',
      retryAfterSeconds: 1,
    });
  const message = password.normalize('NFC');
  return await limit(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        argon2('argon2id', { ...parameters, message }, (error, tag) => {
          if (error === null) resolve(tag);
          else reject(error);
        });
      }),
  );
}

/** Base64 without padding, as PHC strings have it. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
