/** The Debian mirror this machine already uses: never a name written into the project. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const APT_FOLDER = '/etc/apt';

/**
 * The first mirror in the machine's own apt sources, or `FIT_STACK_MIRROR` when set.
 * @returns a URL such as apt would use; undefined when there is no apt source at all.
 */
export function aptMirror(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const chosen = environment['FIT_STACK_MIRROR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  return aptSourceTexts()
    .map(firstMirror)
    .find((mirror) => mirror !== undefined);
}

/**
 * The first mirror of one file of apt sources: of `URIs:` (deb822) or of a one-line `deb …` entry.
 * Mirrors for security updates are passed over, since they carry no complete suite.
 */
export function firstMirror(text: string): string | undefined {
  return text
    .split('\n')
    .flatMap(mirrorsOfLine)
    .find((url) => !url.includes('security'));
}

function mirrorsOfLine(line: string): string[] {
  const deb822 = /^URIs:\s*(.+)$/i.exec(line)?.[1];
  if (deb822 !== undefined) return deb822.trim().split(/\s+/);
  const oneLine = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S/.exec(line)?.[1];
  return oneLine === undefined ? [] : [oneLine];
}

/**
 * The texts in apt's own order of precedence; the distribution's file comes before third parties'.
 */
function aptSourceTexts(): string[] {
  const folder = join(APT_FOLDER, 'sources.list.d');
  const parts = list(folder).filter((name) => /\.(sources|list)$/.test(name));
  const ownFirst = parts.toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
  const paths = [join(APT_FOLDER, 'sources.list'), ...ownFirst.map((name) => join(folder, name))];
  return paths.map(read).filter((text) => text !== '');
}

function isOwn(fileName: string): boolean {
  return /^(debian|ubuntu)\./.test(fileName);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
