/** A user's workout; while it is being made, the state of its job. */
import { DateText, dayIn, UserId, Wod } from '@fit/contract';
import { jobId } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import type { WodReader } from '../store/wodReader.ts';

/** @param timezone whose today is meant where no date is given. */
export function wodRoutes(wods: WodReader, jobs: JobStore, timezone: string): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/users/:id/wod'],
      access: 'admin',
      params: Type.Object({ id: UserId }),
      query: Type.Object({ date: Type.Optional(DateText) }, { additionalProperties: false }),
      reply: Wod,
      handle: async ({ params, query }) => {
        const date = query.date ?? dayIn(timezone, new Date());
        const wod = await wods.find(params.id, date);
        if (wod !== undefined) return { body: wod };
        const job = await jobs.find(jobId('createWod', params.id, date));
        throw new Problem({
          status: 404,
          code: job === null ? 'wod_not_requested' : 'wod_not_ready',
          title: `No workout is stored for ${params.id} on ${date}`,
          members: job === null ? {} : { jobId: job._id, jobState: job.state },
        });
      },
    }),
  ];
}
