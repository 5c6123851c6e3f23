/**
 * The user of a native server that asks for a password, which is made at the first start: a local user who cannot read the
 * stack's folder is nobody to the server.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export interface Login {
  readonly name: string;
  readonly password: string;
}

/** What a login is kept in: lines that a shell and Node read. */
export interface LoginFile {
  readonly path: string;
  /** The variable among the lines that holds a URL with the login. */
  readonly variable: string;
  /** @param login as `user:password`. @returns variable → value, free of characters that a shell reads otherwise. */
  readonly variables: (login: string) => Readonly<Record<string, string>>;
}

/** Of every server. */
export const USER_NAME = 'fit';
/** 256 bits, in characters that URLs and shells take as they are. */
const PASSWORD_BYTES = 32;
const PASSWORD = /^[\w-]{43}$/;
const OWNER_ONLY = 0o600;

/**
 * Reads the password of the last start, or makes one, and writes the file for this start. It is replaced whole and is
 * readable by its owner alone; call it only while the folder is claimed.
 */
export function loadLogin({ path, variable, variables }: LoginFile): Login {
  const password = passwordIn(path, variable) ?? randomBytes(PASSWORD_BYTES).toString('base64url');
  const lines = Object.entries(variables(`${USER_NAME}:${password}`)).map(
    ([name, value]) => `export ${name}=${value}`,
  );
  const aside = `${path}.new`;
  writeFileSync(aside, `# For a shell: . THIS-FILE\n${lines.join('\n')}\n`, { mode: OWNER_ONLY });
  // The mode of `writeFile` does not change that of a file that an interrupted start left.
  chmodSync(aside, OWNER_ONLY);
  renameSync(aside, path);
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

/** @returns the header of HTTP's basic authentication; none without a login. */
export function basicAuthorization(login: Login | undefined): Record<string, string> {
  if (login === undefined) return {};
  const text = Buffer.from(`${login.name}:${login.password}`).toString('base64');
  return { authorization: `Basic ${text}` };
}

/** @returns `user:password@` for a URL; empty without a login. */
export function userInfo(login: Login | undefined): string {
  return login === undefined ? '' : `${login.name}:${login.password}@`;
}
