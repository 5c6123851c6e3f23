/** The table of routes in docs/api.md, made from the OpenAPI documents of both services. Pure. */
import type { OpenApiDocument, Operation } from '@fit/service';

/** @returns a table for each service: route, who may call it, what it does, and the codes of its own problems. */
export function routeTables(monolith: OpenApiDocument, coach: OpenApiDocument): string {
  return ['### Monolith', '', tableOf(monolith), '### Coach', '', tableOf(coach)].join('\n');
}

function tableOf({ paths, tags }: OpenApiDocument): string {
  const rows = tags.flatMap(({ name }) =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.tags.includes(name))
        .map(([method, operation]) => rowOf(method, path, operation)),
    ),
  );
  return ['| route | token | what it does | replies |', '|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
}

function rowOf(method: string, path: string, { summary, security, responses }: Operation): string {
  const token = security.some((scheme) => 'bearer' in scheme) ? 'yes' : 'no';
  const statuses = Object.keys(responses).filter((status) => !SHARED_STATUSES.has(status));
  return `| \`${method.toUpperCase()} ${path}\` | ${token} | ${summary} | ${statuses.join(', ')} |`;
}

/** Statuses of problems that many routes share; the text below the table says when they come. */
export const SHARED_STATUSES: ReadonlySet<string> = new Set([
  '400',
  '401',
  '403',
  '413',
  '415',
  '429',
  '500',
  '503',
]);
