/** E-mail addresses as logins. */

/** RFC 5321: the longest path without its angle brackets. */
export const EMAIL_MAX_CHARS = 254;
/** One @ with something on both sides, and no white space, control or format characters. Whether mail arrives is not checked. */
const EMAIL = /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u;

/**
 * Upper and lower case, and composed and decomposed characters, are the same address to a person.
 * @returns the form in which addresses are compared; undefined if the text is no address.
 */
export function loginOfEmail(email: string): string | undefined {
  const login = email.trim().normalize('NFC').toLowerCase();
  return EMAIL.test(login) && login.length <= EMAIL_MAX_CHARS ? login : undefined;
}
