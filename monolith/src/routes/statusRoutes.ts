/** The state of everything as one document. */
import { defineRoute, type Route } from '@fit/service';
import { Status, type StatusBoard } from '../status/statusBoard.ts';

export function statusRoutes(board: Pick<StatusBoard, 'read'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/status'],
      access: 'admin',
      reply: Status,
      handle: async () => ({ body: await board.read() }),
    }),
  ];
}
