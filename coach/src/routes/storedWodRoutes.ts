/** GET /wods/:userId: the stored workout of a user, for this user and for those who may read everything. */
import { DateText, dayIn, UserId, Wod } from '@fit/contract';
import { defineRoute, Problem, type ProblemKind, READERS, type Route } from '@fit/service';
import Type from 'typebox';
import type { WodStore } from '../store/wodStore.ts';

const WOD_NOT_FOUND = {
  status: 404,
  code: 'wod_not_found',
  when: 'no workout is stored for this user and day',
  remedy: 'The monolith answers GET /users/{id}/wod with the state of the job that makes it.',
} as const satisfies ProblemKind;

/** @param timezone IANA name; a request without a date means today in this zone. */
export function storedWodRoutes(wods: Pick<WodStore, 'find'>, timezone: string): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/wods/:userId'],
      access: [...READERS, 'self'],
      summary: "Read a user's stored workout of a day",
      description: 'Without a date: today, in CRON_TIMEZONE.',
      tag: 'Workouts',
      problems: [WOD_NOT_FOUND],
      params: Type.Object({ userId: UserId }),
      query: Type.Object({ date: Type.Optional(DateText) }, { additionalProperties: false }),
      reply: Wod,
      handle: async ({ params, query }) => {
        const date = query.date ?? dayIn(timezone, new Date());
        const wod = await wods.find(params.userId, date);
        if (wod !== undefined) return { body: wod };
        throw new Problem({
          ...WOD_NOT_FOUND,
          title: `No workout is stored for ${params.userId} on ${date}`,
        });
      },
    }),
  ];
}
