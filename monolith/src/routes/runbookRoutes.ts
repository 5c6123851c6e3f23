/** The runbooks as text, where alerts and dashboards lead by default. They hold no secret, so that they need no token. */
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import type { Runbooks } from '../runbooks/readRunbooks.ts';

const headers = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
  // Steps of the release that runs, not of the one before.
  'cache-control': 'no-store',
};

export function runbookRoutes({ onCall, texts }: Runbooks): Route[] {
  const list = [...texts.keys()].map((name) => `- runbooks/${name}`).join('\n');
  const index = `${onCall}\n## Runbooks\n\n${list}\n`;
  return [
    defineRoute({
      method: 'get',
      // Without a name: what is the same for all of them, and their names. The runbooks' own links to it lead to the second.
      paths: ['/runbooks{/:name}', '/on-call.md'],
      access: 'anyone',
      params: Type.Object({ name: Type.Optional(Type.String({ maxLength: 200 })) }),
      reply: Type.String(),
      handle: ({ params: { name } }) => {
        const body = name === undefined ? index : texts.get(name);
        if (body !== undefined) return Promise.resolve({ headers, body });
        throw new Problem({
          status: 404,
          code: 'runbook_not_found',
          title: 'There is no such runbook; GET /runbooks lists them',
        });
      },
    }),
  ];
}
