/**
 * `npm run access [-- --check]`: writes docs/access.md, who may call which route, from the routes themselves. A test compares every cell
 * with what the services answer. With `--check` it writes nothing, and exits with 1 if the document differs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Access, isAllowed, type Route } from '@fit/service';
import { declaredCoachRoutes, declaredMonolithRoutes } from './api/src/declaredRoutes.ts';

const DOCUMENT = resolve(import.meta.dirname, '../docs/access.md');
const USER = 'ann';

/** The columns: who calls, with a path that names the user `ann`. */
export const CALLERS = {
  'no token': undefined,
  'other member': { role: 'member', userId: 'ben' },
  'the member': { role: 'member', userId: USER },
  viewer: { role: 'viewer', userId: undefined },
  operator: { role: 'operator', userId: undefined },
  admin: { role: 'admin', userId: undefined },
  service: { role: 'service', userId: undefined },
} as const;
export type CallerName = keyof typeof CALLERS;

export interface AccessRow {
  /** Such as `GET /users/:id`. */
  readonly route: string;
  readonly cells: Readonly<Record<CallerName, Cell>>;
}

/** `own`: what the member owns. `404`: of what another member owns the answer is that it does not exist. */
type Cell = 'yes' | 'own' | '401' | '403' | '404';

export function everyRoute(): Readonly<Record<'monolith' | 'coach', readonly Route[]>> {
  return { monolith: declaredMonolithRoutes(), coach: declaredCoachRoutes() };
}

/** @returns one row for each method and path. */
export function accessRows(routes: readonly Route[]): AccessRow[] {
  return routes.flatMap(({ method, paths, access }) =>
    paths.map((path) => {
      const cells = Object.entries(CALLERS).map(([name, caller]) => [
        name,
        cellOf(access, caller, path),
      ]);
      return {
        route: `${method.toUpperCase()} ${path}`,
        cells: Object.fromEntries(cells) as AccessRow['cells'],
      };
    }),
  );
}

function cellOf(
  access: Access,
  caller: (typeof CALLERS)[CallerName] | undefined,
  path: string,
): Cell {
  if (access === 'open') return 'yes';
  if (caller === undefined) return '401';
  if (!isAllowed(access, caller, { id: USER, userId: USER })) return '403';
  if (caller.role !== 'member' || !access.includes('own')) return 'yes';
  return caller.userId !== USER && path.includes(':') ? '404' : 'own';
}

/** @returns the rows of a service as the document has them. */
export function readRows(service: 'monolith' | 'coach'): AccessRow[] {
  const section = readFileSync(DOCUMENT, 'utf8').split(`\n## ${titleOf(service)}\n`)[1] ?? '';
  const [, , ...lines] = (section.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  return lines.map((line) => {
    const [route = '', ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const named = Object.keys(CALLERS).map((name, index) => [name, cells[index]]);
    return {
      route: route.replaceAll('`', ''),
      cells: Object.fromEntries(named) as AccessRow['cells'],
    };
  });
}

function titleOf(service: 'monolith' | 'coach'): string {
  return `Which routes of the ${service}?`;
}

function renderDocument(): string {
  const names = Object.keys(CALLERS) as CallerName[];
  const sections = Object.entries(everyRoute()).map(([service, routes]) => [
    `## ${titleOf(service as 'monolith' | 'coach')}`,
    '',
    `| route | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---|').join('')}`,
    ...accessRows(routes).map(
      ({ route, cells }) => `| \`${route}\` | ${names.map((name) => cells[name]).join(' | ')} |`,
    ),
    '',
  ]);
  return [
    '# Who may call which route?',
    '',
    'Generated from the routes by `npm run access`; `service/test/access/accessTable.test.ts` asks the services for every cell. An expired or',
    'changed token, one that was logged out, and one of a disabled account are answered as no token is: 401. `the member` is the member whose',
    'user the path names or who owns what it names, `other member` any other one. Roles are in [ADR 22](../adr/22-accounts-and-roles.md).',
    '`own` is what the member owns: of what others own the answer is 404, as if it did not exist.',
    '',
    ...sections.flat(),
  ].join('\n');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const document = renderDocument();
  if (!values.check) writeFileSync(DOCUMENT, document);
  else if (readFileSync(DOCUMENT, 'utf8') !== document) {
    process.stderr.write('docs/access.md is not what the routes say: run npm run access\n');
    process.exitCode = 1;
  }
}
