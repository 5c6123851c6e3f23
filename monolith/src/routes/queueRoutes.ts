/** The queues as the broker has them: fill, pace, time to full. */
import { defineRoute, type Route } from '@fit/service';
import { QueueReport } from '../queues/queueStatus.ts';
import type { StatusBoard } from '../status/statusBoard.ts';

export function queueRoutes(board: Pick<StatusBoard, 'readQueues'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/queues'],
      access: 'admin',
      reply: QueueReport,
      handle: async () => ({ body: await board.readQueues() }),
    }),
  ];
}
