/** A runbook as data: its sections, queries and commands. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../runbooks');

export interface Runbook {
  readonly alert: string;
  readonly text: string;
  /** The headings below the title, in order. */
  readonly sections: readonly string[];
  readonly queries: readonly string[];
  /** Texts between backquotes in the prose. */
  readonly commands: readonly string[];
}

export const RUNBOOKS: readonly Runbook[] = globSync('*.md', { cwd: FOLDER })
  .sort()
  .map((file) => readRunbook(basename(file, '.md'), join(FOLDER, file)));

/** Not a runbook, but its commands must work as well. */
export const ON_CALL = readRunbook('on-call', join(FOLDER, '../on-call.md'));

function readRunbook(alert: string, path: string): Runbook {
  const text = readFileSync(path, 'utf8');
  const fences = /^```(\w+)\n(.*?)\n```$/gms;
  const queries = [...text.matchAll(fences)].flatMap(([, language, body = '']) =>
    language === 'promql' ? [body] : [],
  );
  const prose = text.replaceAll(fences, '');
  return {
    alert,
    text,
    sections: [...text.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title),
    queries,
    commands: [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' ')),
  };
}
