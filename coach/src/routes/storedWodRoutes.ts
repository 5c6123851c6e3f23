/** GET /wods/:userId: the stored workout of a user. */
import { DateText, dayIn, UserId, Wod } from '@fit/contract';
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import type { WodStore } from '../store/wodStore.ts';

/** @param timezone IANA name; a request without a date means today in this zone. */
export function storedWodRoutes(wods: Pick<WodStore, 'find'>, timezone: string): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/wods/:userId'],
      access: 'anyone',
      params: Type.Object({ userId: UserId }),
      query: Type.Object({ date: Type.Optional(DateText) }, { additionalProperties: false }),
      reply: Wod,
      handle: async ({ params, query }) => {
        const date = query.date ?? dayIn(timezone, new Date());
        const wod = await wods.find(params.userId, date);
        if (wod !== undefined) return { body: wod };
        throw new Problem({
          status: 404,
          code: 'wod_not_found',
          title: `No workout is stored for ${params.userId} on ${date}`,
        });
      },
    }),
  ];
}
