/** Accepts one fixed text as the bearer token of an administrator. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Authenticate, bearerOf } from './authenticator.ts';

/**
 * @param token never empty.
 * @param others decides about every other token; default: they are wrong.
 */
export function acceptToken(token: string, others?: Authenticate): Authenticate {
  // Both are hashed first, because a comparison in constant time needs equal lengths.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return async (credentials) => {
    const given = bearerOf(credentials.authorization);
    if (given !== undefined && timingSafeEqual(digest(given), digest(token)))
      return { accountId: 'admin', role: 'admin', via: 'bearer', credentialId: 'admin' };
    if (others !== undefined) return await others(credentials);
    return given === undefined ? 'none' : 'wrong';
  };
}
