/** The first administrator of a system on the native stack: made once, with the log-in in a file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { FitClient, FitRequestError, untilAccepted } from '@fit/client';

export interface Administrator {
  readonly email: string;
  readonly password: string;
}

export interface AdministratorOptions {
  /** Of the monolith, which is ready. */
  readonly url: string;
  readonly secretsFolder: string;
  /** Undefined: the one in `bootstrapSecretFile`. */
  readonly bootstrapSecret: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const EMAIL = 'admin@example.org';
/** 192 bits, in characters that need no quoting in a shell. */
const PASSWORD_BYTES = 24;
const OWNER_ONLY = 0o600;
/** The database may be away for a while at the moment of the start. */
const WAIT_MS = 60_000;

/** The secret that whoever makes the first administrator sends. */
export function bootstrapSecretFile(secretsFolder: string): string {
  return resolve(secretsFolder, 'bootstrap-secret');
}

/** The secret of cron's account. */
export function cronSecretFile(secretsFolder: string): string {
  return resolve(secretsFolder, 'cron-secret');
}

/** Environment variables FIT_EMAIL and FIT_PASSWORD, for a shell and for Node. */
export function administratorFile(secretsFolder: string): string {
  return resolve(secretsFolder, 'admin.env');
}

/**
 * Makes the first administrator where the log-in of the file is not accepted, and the file where there is none. The file is written
 * first, so that an interrupted start leaves no account whose password nobody knows.
 * @throws Error with the remedy where the database has another first administrator.
 */
export async function provideAdministrator({
  url,
  secretsFolder,
  bootstrapSecret,
  signal,
}: AdministratorOptions): Promise<FitClient> {
  const path = administratorFile(secretsFolder);
  const administrator = (await readLogIn(path)) ?? (await makeLogIn(path, secretsFolder));
  const client = new FitClient(url, administrator);
  const retry = { waitMs: WAIT_MS, ...(signal === undefined ? {} : { signal }) };
  if (await untilAccepted(() => canLogIn(client), retry)) return client;
  const token = bootstrapSecret ?? (await readFile(bootstrapSecretFile(secretsFolder), 'utf8'));
  const bootstrap = new FitClient(url, { token: token.trim() });
  const body = { ...administrator, name: 'Administrator' };
  try {
    await untilAccepted(() => bootstrap.request('POST', '/bootstrap/admin', { body }), retry);
  } catch (error) {
    if (!(error instanceof FitRequestError) || error.status !== 409) throw error;
    // A repeated request may find the account that its first attempt made.
    if (!(await canLogIn(client)))
      throw new Error(
        `the database has a first administrator with another password: write FIT_EMAIL and FIT_PASSWORD of an administrator into ${path}, or delete the account first-admin in the database`,
        { cause: error },
      );
  }
  return client;
}

async function canLogIn(client: FitClient): Promise<boolean> {
  try {
    await client.token();
    return true;
  } catch (error) {
    if (error instanceof FitRequestError && error.status === 401) return false;
    throw error;
  }
}

async function readLogIn(path: string): Promise<Administrator | undefined> {
  try {
    const { FIT_EMAIL: email = '', FIT_PASSWORD: password = '' } = parseEnv(
      await readFile(path, 'utf8'),
    );
    return email === '' || password === '' ? undefined : { email, password };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeLogIn(path: string, folder: string): Promise<Administrator> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  await mkdir(folder, { recursive: true });
  // Under another name until it is complete, so that a full disk leaves no half file.
  const temporary = `${path}.${process.pid}.new`;
  const text = `# For a shell: . THIS-FILE\nexport FIT_EMAIL=${EMAIL}\nexport FIT_PASSWORD=${password}\n`;
  await writeFile(temporary, text, { mode: OWNER_ONLY, flag: 'wx' });
  await rename(temporary, path);
  return { email: EMAIL, password };
}
