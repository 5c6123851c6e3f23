/** The same state as a stream of server-sent events: `status`, whole, at once and whenever it changes. */
import { defineRoute, EVENT_STREAM_HEADERS, type Route } from '@fit/service';
import Type from 'typebox';
import type { OpenStatus } from '../status/openStatus.ts';

export function eventRoutes({ board, streams }: Pick<OpenStatus, 'board' | 'streams'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/events'],
      access: 'admin',
      reply: Type.Unknown(),
      handle: async () => {
        // Nobody may have watched for hours: the first event must not be of then.
        await board.tell();
        return { headers: EVENT_STREAM_HEADERS, body: streams.open() };
      },
    }),
  ];
}
