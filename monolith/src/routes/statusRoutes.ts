/** The status of the system: `GET /status` as one document, `GET /events` as a stream of it, `GET /queues` its queues. */
import { defineRoute, EVENT_STREAM_HEADERS, type Route } from '@fit/service';
import Type from 'typebox';
import { QueueReport } from '../queues/queueStatus.ts';
import { type OpenStatus, Status } from '../status/statusBoard.ts';

export function statusRoutes({ board, streams }: Pick<OpenStatus, 'board' | 'streams'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/status'],
      access: 'admin',
      reply: Status,
      handle: async () => ({ body: await board.read() }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/queues'],
      access: 'admin',
      reply: QueueReport,
      handle: async () => ({ body: await board.readQueues() }),
    }),
    defineRoute({
      // Server-sent events named `status`: the whole status at once, and again whenever it changes.
      method: 'get',
      paths: ['/events'],
      access: 'admin',
      reply: Type.Unknown(),
      handle: async () => {
        // Without readers nothing is read, so the last status may be hours old; the first event must be current.
        await board.broadcast();
        return { headers: EVENT_STREAM_HEADERS, body: streams.open() };
      },
    }),
  ];
}
