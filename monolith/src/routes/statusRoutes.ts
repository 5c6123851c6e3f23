/** The status of the system: `GET /status` as one document, `GET /events` as a stream of it, `GET /alerts` its alerts. */
import {
  defineRoute,
  EVENT_STREAM_HEADERS,
  READERS,
  type Route,
  STREAM_PROBLEMS,
} from '@fit/service';
import Type from 'typebox';
import { type OpenStatus, Status } from '../status/statusBoard.ts';

export function statusRoutes({ board, streams }: Pick<OpenStatus, 'board' | 'streams'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/status'],
      access: READERS,
      summary: 'Read what the status page shows',
      tag: 'Status',
      reply: Status,
      handle: async () => ({ body: await board.read() }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/events'],
      access: READERS,
      summary: 'Read the status as a stream',
      description:
        'Server-sent events named `status`: the whole status at once, and again whenever it changes.',
      tag: 'Status',
      reply: Type.Unknown(),
      replyTypes: ['text/event-stream'],
      problems: STREAM_PROBLEMS,
      handle: async ({ isStillAllowed }) => {
        // Without readers nothing is read, so the last status may be hours old; the first event must be current.
        await board.broadcast();
        return { headers: EVENT_STREAM_HEADERS, body: streams.open(isStillAllowed) };
      },
    }),
  ];
}
