/**
 * User and password of a native server, made at the first start. They keep out local users, who cannot read the stack's
 * folder.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** A file of environment variables that a shell and Node read. */
export interface CredentialsFile {
  readonly path: string;
  /** The variable that holds a URL with the credentials. */
  readonly variable: string;
  /**
   * @param userInfo `user:password`.
   * @returns variable → value, without characters that have a meaning for a shell.
   */
  readonly variables: (userInfo: string) => Readonly<Record<string, string>>;
}

/** Name of the one user of every server. */
export const USER_NAME = 'fit';
/** 256 bits, in characters that need no quoting in URLs and shells. */
const PASSWORD_BYTES = 32;
const PASSWORD = /^[\w-]{43}$/;
const OWNER_ONLY = 0o600;

/**
 * Reads the password of the last start, or makes one, and writes the file for this start. The file is replaced
 * atomically and only its owner can read it. Call this only while the folder is claimed.
 */
export function loadCredentials({ path, variable, variables }: CredentialsFile): Credentials {
  const password = passwordIn(path, variable) ?? randomBytes(PASSWORD_BYTES).toString('base64url');
  const lines = Object.entries(variables(`${USER_NAME}:${password}`)).map(
    ([name, value]) => `export ${name}=${value}`,
  );
  const temporary = `${path}.new`;
  writeFileSync(temporary, `# For a shell: . THIS-FILE\n${lines.join('\n')}\n`, {
    mode: OWNER_ONLY,
  });
  // `writeFile` does not change the mode of a file that an interrupted start left.
  chmodSync(temporary, OWNER_ONLY);
  renameSync(temporary, path);
  return { name: USER_NAME, password };
}

function passwordIn(path: string, variable: string): string | undefined {
  try {
    const { password } = new URL(parseEnv(readFileSync(path, 'utf8'))[variable] ?? '');
    return PASSWORD.test(password) ? password : undefined;
  } catch {
    return undefined;
  }
}

/** @returns the header of HTTP's basic authentication; none without credentials. */
export function basicAuthorization(user: Credentials | undefined): Record<string, string> {
  if (user === undefined) return {};
  const text = Buffer.from(`${user.name}:${user.password}`).toString('base64');
  return { authorization: `Basic ${text}` };
}

/** @returns `user:password@` for a URL; empty without credentials. */
export function userInfoOf(user: Credentials | undefined): string {
  return user === undefined ? '' : `${user.name}:${user.password}@`;
}
