/**
 * Names of users and accounts in the audit. A pseudonym is random, and nothing but a field of the user's or the account's own document leads
 * from one to the other, so it names nobody once that document is deleted.
 */
import { randomBytes } from 'node:crypto';

/** No id of a user or an account has a `~`, so no pseudonym can be taken for one. */
const PSEUDONYM = /~[0-9a-f]{24}/g;

export function newPseudonym(): string {
  return `~${randomBytes(12).toString('hex')}`;
}

/** @returns the pseudonyms in a text. */
export function pseudonymsIn(text: string): string[] {
  return text.match(PSEUDONYM) ?? [];
}

/** Puts ids in place of those pseudonyms in a text that have one. */
export function withIds(text: string, idOf: ReadonlyMap<string, string>): string {
  return text.replace(PSEUDONYM, (pseudonym) => idOf.get(pseudonym) ?? pseudonym);
}

/** Puts pseudonyms in place of those words of a text that are ids. */
export function withPseudonyms(text: string, pseudonymOf: ReadonlyMap<string, string>): string {
  return text.replace(/[\w-]+/g, (word) => pseudonymOf.get(word) ?? word);
}
