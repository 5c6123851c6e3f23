/** Secrets of service accounts, which are made by FIT or in a file, and never chosen by a person. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ServiceSecret } from './store/accountStore.ts';

/** How long the secret before the newest one is accepted: time to bring the new one to every program. */
const PREVIOUS_SECRET_MS = 3_600_000;

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** @returns the secrets with a new one, which replaces the newest; the same list if it is the newest already. Pure. */
export function withSecret(
  secrets: readonly ServiceSecret[],
  secret: string,
  now: Date,
): readonly ServiceSecret[] {
  const hash = hashSecret(secret);
  const [newest] = secrets;
  if (newest?.hash === hash) return secrets;
  const until = new Date(now.getTime() + PREVIOUS_SECRET_MS);
  const previous = newest === undefined ? [] : [{ hash: newest.hash, until }];
  return [{ hash, until: null }, ...previous];
}

export function isSecret(secret: string, secrets: readonly ServiceSecret[], now: Date): boolean {
  const given = Buffer.from(hashSecret(secret));
  return secrets.some(
    ({ hash, until }) =>
      (until === null || until > now) && timingSafeEqual(given, Buffer.from(hash)),
  );
}
