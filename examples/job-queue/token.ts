/** Tokens that the user service signs and the job service checks, by a secret that both have in JWT_SECRET. */
import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { Refusal } from './http.ts';
import { setting } from './process.ts';

const ALGORITHM = 'HS256';
const ISSUER = 'job-queue';
const LEAST_SECRET_CHARS = 32;
export const LIFETIME_SECONDS = 12 * 3_600;

const secret = new TextEncoder().encode(setting('JWT_SECRET'));
if (secret.length < LEAST_SECRET_CHARS)
  throw new Error(`JWT_SECRET must have at least ${LEAST_SECRET_CHARS} characters`);

export async function signToken(userId: string): Promise<string> {
  return await new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM })
    .setIssuer(ISSUER)
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME_SECONDS}s`)
    .sign(secret);
}

/**
 * @param authorization header of a request.
 * @returns the id of the user. @throws Refusal 401
 */
export async function userOf(authorization: string): Promise<string> {
  const [, token] = /^Bearer (\S+)$/i.exec(authorization) ?? [];
  if (token === undefined) throw new Refusal(401, 'authorization', "must be 'Bearer TOKEN'");
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      requiredClaims: ['sub', 'exp'],
    });
    // It becomes part of the keys of jobs.
    return z.uuid().parse(payload.sub);
  } catch {
    throw new Refusal(401, 'authorization', 'the token is wrong or too old; log in again');
  }
}
