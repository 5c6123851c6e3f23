/** The runbooks as text, where the links of alerts and dashboards lead. They hold no secret, so they need no token. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineRoute, Problem, type ProblemKind, type Route } from '@fit/service';
import Type from 'typebox';

/** The files are read and not imported: their package generates configuration that no service needs. */
const FOLDER = join(import.meta.dirname, '../../../prometheus');

const RUNBOOK_NOT_FOUND = {
  status: 404,
  code: 'runbook_not_found',
  when: 'no runbook has this name',
  remedy: 'GET /runbooks lists them.',
} as const satisfies ProblemKind;

const headers = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
  // A cached copy could be of an older release than the one that runs.
  'cache-control': 'no-store',
};

/**
 * Reads every runbook at the start, so a requested name is looked up in a list and never becomes a path.
 * @throws Error if the files are missing.
 */
export function runbookRoutes(): Route[] {
  const folder = join(FOLDER, 'runbooks');
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const texts = new Map(
    names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
  const onCall = readFileSync(join(FOLDER, 'on-call.md'), 'utf8');
  const list = names.map((name) => `- runbooks/${name}`).join('\n');
  const index = `${onCall}\n## Runbooks\n\n${list}\n`;
  return [
    defineRoute({
      method: 'get',
      // Without a name: the instructions that all runbooks share, and their list. Links in runbooks use the second path.
      paths: ['/runbooks{/:name}', '/on-call.md'],
      access: 'open',
      summary: 'Read the runbook of an alert, or the list of runbooks',
      tag: 'Health',
      params: Type.Object({ name: Type.Optional(Type.String({ maxLength: 200 })) }),
      reply: Type.String(),
      replyTypes: ['text/plain'],
      problems: [RUNBOOK_NOT_FOUND],
      handle: ({ params: { name } }) => {
        const body = name === undefined ? index : texts.get(name);
        if (body !== undefined) return Promise.resolve({ headers, body });
        throw new Problem({
          ...RUNBOOK_NOT_FOUND,
          title: `There is no runbook ${name ?? ''}`,
        });
      },
    }),
  ];
}
