/**
 * The deadline of the next daily run. Cron sets it after each run, and the alert CronOverdue fires if the deadline
 * passes before cron sets a later one.
 */
import { defineRoute, invalidInput, READERS, type Route } from '@fit/service';
import Type from 'typebox';
import type { DailyRunStore } from '../store/dailyRunStore.ts';

export interface DailyRunRouteParts {
  readonly dailyRun: Pick<DailyRunStore, 'setDeadline' | 'deadline'>;
}

/** An instant in UTC as `Date.toISOString` writes it; null: no daily run is expected. */
const ExpectedRun = Type.Object(
  { dueBy: Type.Union([Type.String({ maxLength: 40 }), Type.Null()]) },
  { additionalProperties: false },
);

export function dailyRunRoutes({ dailyRun }: DailyRunRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/dailyRun'],
      access: [...READERS, 'service'],
      summary: 'Read by when the next daily run must have ended',
      tag: 'Runs',
      reply: ExpectedRun,
      handle: async () => ({ body: { dueBy: (await dailyRun.deadline())?.toISOString() ?? null } }),
    }),
    defineRoute({
      method: 'put',
      paths: ['/dailyRun'],
      access: ['admin', 'service'],
      summary: 'Set by when the next daily run must have ended',
      description: 'Cron sets it after each run; the alert CronOverdue fires where it passes.',
      tag: 'Runs',
      body: ExpectedRun,
      reply: ExpectedRun,
      audit: {
        none: 'Cron reports it after each run; the run itself has an entry, and the next report replaces it.',
      },
      handle: async ({ body }) => {
        const dueBy = body.dueBy === null ? undefined : new Date(body.dueBy);
        if (dueBy !== undefined && Number.isNaN(dueBy.getTime()))
          throw invalidInput(
            'body.dueBy',
            `${String(body.dueBy)} is not an instant such as 2026-11-30T06:05:00Z`,
          );
        await dailyRun.setDeadline(dueBy);
        return { body: { dueBy: dueBy?.toISOString() ?? null } };
      },
    }),
  ];
}
