/** The first program of a package's README, which its readers copy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './packageNames.ts';

/**
 * @param urls take the place of the addresses in the program.
 * @throws Error if the README has no program in TypeScript, or one without these addresses.
 */
export function readmeStart(
  folder: string,
  urls: { readonly amqp: string; readonly management: string },
): string {
  const text = readFileSync(join(REPOSITORY, folder, 'README.md'), 'utf8');
  const [, program] = /^```ts\n(.*?)^```$/ms.exec(text) ?? [];
  if (program === undefined) throw new Error(`${folder}/README.md has no program`);
  const result = program
    .replaceAll(/amqps?:\/\/[^'"`\s]+/g, urls.amqp)
    .replaceAll(/https?:\/\/[^'"`\s]*:15672\b/g, urls.management);
  if (!result.includes(urls.amqp)) throw new Error(`${folder}/README.md names no broker`);
  return result;
}
