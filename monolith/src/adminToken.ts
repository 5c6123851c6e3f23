/** The admin's bearer token, where none is given: made once, kept readable by its owner alone. */
import { loadSecretFile, type OnWarning } from '@fit/service/secret-file';

/**
 * @param path file of the token; missing folders are made.
 * @param onWarning gets a line where others may read the file.
 * @returns the token in the file, made at the first start; processes that start at once agree on one.
 * @throws SecretError where the file is unusable, or its token empty, short or easy to guess.
 */
export async function loadAdminToken(path: string, onWarning: OnWarning): Promise<string> {
  return await loadSecretFile(path, onWarning);
}
