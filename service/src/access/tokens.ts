/**
 * Access tokens: JWTs (RFC 9068) that are signed by EdDSA. A token says only which account it belongs to. Role and validity are read
 * from the database with each request, so a change takes effect at once.
 */
import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { type KeyRing, TOKEN_ALGORITHM } from './keyRing.ts';

export const TOKEN_LIFETIME_SECONDS = 30 * 60;
const ISSUER = 'fit';
const AUDIENCE = 'fit-api';
const TYPE = 'at+jwt';
/** The clocks of two machines may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** A token of FIT has some 400 characters; a longer text is refused before it is parsed. */
const TOKEN_MAX_CHARS = 2_048;

export interface TokenClaims {
  /** Id of the token. */
  readonly id: string;
  readonly accountId: string;
  readonly stamp: string;
  readonly expiresAt: Date;
}

/** @returns a token for 30 minutes. */
export async function issueToken(
  keyRing: KeyRing,
  { accountId, stamp }: Pick<TokenClaims, 'accountId' | 'stamp'>,
): Promise<string> {
  const { kid, key } = await keyRing.signer();
  const issuedAt = Math.floor(Date.now() / 1_000);
  return await new SignJWT({ stamp })
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: TYPE, kid })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(accountId)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + TOKEN_LIFETIME_SECONDS)
    .sign(key);
}

/**
 * The algorithm is fixed here and never taken from the token, and the key is looked up by its id among the stored keys: a token
 * that brings its own key or names a file or address is refused.
 * @returns undefined if the text is no valid token of FIT at this moment.
 * @throws StoreUnavailable if no keys were read yet and the database does not answer.
 */
export async function verifyToken(
  keyRing: Pick<KeyRing, 'verifier'>,
  token: string,
): Promise<TokenClaims | undefined> {
  if (token.length > TOKEN_MAX_CHARS) return undefined;
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = await keyRing.verifier(kid);
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [TOKEN_ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['sub', 'jti', 'iat', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        maxTokenAge: TOKEN_LIFETIME_SECONDS,
      },
    );
    const { sub, jti, exp } = payload;
    const stamp = payload['stamp'];
    if (sub === undefined || jti === undefined || exp === undefined || typeof stamp !== 'string')
      return undefined;
    return { id: jti, accountId: sub, stamp, expiresAt: new Date(exp * 1_000) };
  } catch (error) {
    // Each error of the library means that the token is not valid; any other error is a failure of this process or its database.
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
