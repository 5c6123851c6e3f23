/** Keys that grow with time, so that jobs are in the order of their creation wherever they are in the order of their keys. */
import { randomBytes } from 'node:crypto';

/**
 * @param atMs milliseconds since 1970; default now.
 * @param seed at least 16 bytes that make the key the same each time, such as a hash; default random ones.
 * @returns a UUID of version 7, which begins with the time.
 */
export function timeKey(atMs = Date.now(), seed: Uint8Array = randomBytes(16)): string {
  const bytes = Buffer.from(seed.subarray(0, 16));
  bytes.writeUIntBE(atMs, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
