/** By when the next daily run must have ended: cron says so after each, and CronOverdue fires where it does not say so again. */
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import type { DailyRunStore } from '../store/dailyRunStore.ts';

export interface DailyRunRouteParts {
  readonly dailyRun: Pick<DailyRunStore, 'expect' | 'dueBy'>;
}

/** An instant in UTC as `Date.toISOString` writes it; null: no daily run is expected. */
const Expected = Type.Object(
  { dueBy: Type.Union([Type.String({ maxLength: 40 }), Type.Null()]) },
  { additionalProperties: false },
);

export function dailyRunRoutes({ dailyRun }: DailyRunRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/dailyRun'],
      access: 'admin',
      reply: Expected,
      handle: async () => ({ body: { dueBy: (await dailyRun.dueBy())?.toISOString() ?? null } }),
    }),
    defineRoute({
      method: 'put',
      paths: ['/dailyRun'],
      access: 'admin',
      body: Expected,
      reply: Expected,
      handle: async ({ body }) => {
        const dueBy = body.dueBy === null ? undefined : new Date(body.dueBy);
        if (dueBy !== undefined && Number.isNaN(dueBy.getTime())) throw noInstant(body.dueBy);
        await dailyRun.expect(dueBy);
        return { body: { dueBy: dueBy?.toISOString() ?? null } };
      },
    }),
  ];
}

function noInstant(given: string | null): Problem {
  return new Problem({
    status: 400,
    code: 'invalid_input',
    title: 'The body is not as this route expects',
    errors: [
      {
        field: 'body.dueBy',
        reason: `${String(given)} is no instant such as 2026-11-30T06:05:00Z`,
      },
    ],
  });
}
