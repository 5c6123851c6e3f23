/**
 * The deadline of the next daily run. Cron sets it after each run, and the alert CronOverdue fires if the deadline
 * passes before cron sets a later one.
 */
import { defineRoute, READERS, type Route } from '@fit/service';
import Type from 'typebox';
import type { DailyRunStore } from '../store/dailyRunStore.ts';
import { Instant, instantOf } from './instant.ts';

export interface DailyRunRouteParts {
  readonly dailyRun: Pick<DailyRunStore, 'setDeadline' | 'deadline'>;
}

/** Null: no daily run is expected. */
const ExpectedRun = Type.Object(
  { dueBy: Type.Union([Instant, Type.Null()]) },
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
        const dueBy = body.dueBy === null ? undefined : instantOf('body.dueBy', body.dueBy);
        await dailyRun.setDeadline(dueBy);
        return { body: { dueBy: dueBy?.toISOString() ?? null } };
      },
    }),
  ];
}
