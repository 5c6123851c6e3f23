/** The queues for operators: read them, and pause or resume a main queue. */
import { defineRoute, OPERATORS, Problem, READERS, type Route, type Settings } from '@fit/service';
import type { Declaration } from '@fit/topology';
import Type from 'typebox';
import { required } from '../accounts/routes/signInRoutes.ts';
import { PauseView, pauseView, QueueReport } from './queueStatus.ts';

export interface QueueRouteParts {
  readonly declaration: Declaration;
  readonly settings: Pick<Settings, 'store' | 'read' | 'pauseOf'>;
  readonly status: { readonly board: { readQueues(): Promise<QueueReport> } };
}

/** Why somebody changes what others rely on. */
export const Reason = Type.String({ minLength: 1, maxLength: 500 });

const QueueName = Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) });
const PauseState = Type.Object({
  name: Type.String(),
  /** Null: it is not paused. */
  paused: Type.Union([PauseView, Type.Null()]),
});

const QUEUE_NOT_FOUND = {
  status: 404,
  code: 'queue_not_found',
  when: 'no main queue has this name; wait queues and dead-letter queues have no workers to pause',
  remedy: 'GET /queues lists the queues with their roles.',
} as const;

export function queueRoutes({ declaration, settings, status }: QueueRouteParts): Route[] {
  const mainQueues = declaration.kinds.map(({ queue }) => queue);
  const requireMain = (name: string) => {
    if (mainQueues.includes(name)) return;
    throw new Problem({
      ...QUEUE_NOT_FOUND,
      title: `'${name}' is no main queue; these are: ${mainQueues.join(', ')}`,
    });
  };
  return [
    defineRoute({
      method: 'get',
      paths: ['/queues'],
      access: READERS,
      summary: 'Read depth, limit and consumers of each queue',
      tag: 'Queues',
      reply: QueueReport,
      handle: async () => ({ body: await status.board.readQueues() }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/queues/:name/pause'],
      access: OPERATORS,
      summary: 'Pause a queue',
      description:
        'Its workers take no more within three seconds: running attempts end, and what was delivered and has not begun goes back to the queue. New jobs are accepted, and the relay fills the queue up to its target. The pause is stored and ends by `/resume` alone. Where the queue is paused already, the reply shows that pause.',
      tag: 'Queues',
      params: QueueName,
      body: Type.Object({ reason: Reason }, { additionalProperties: false }),
      reply: PauseState,
      problems: [QUEUE_NOT_FOUND],
      audit: { action: 'queue.pause', target: ({ params }) => ({ queue: params.name }) },
      handle: async ({ params: { name }, body: { reason }, caller }) => {
        requireMain(name);
        const by = required(caller).accountId;
        const paused = await settings.store.pause(name, { by, reason });
        await settings.read();
        return { body: { name, paused: pauseView(paused) } };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/queues/:name/resume'],
      access: OPERATORS,
      summary: 'Resume a paused queue',
      description:
        'Its workers take jobs again within three seconds, but for those that are drained. A queue that is not paused stays as it is.',
      tag: 'Queues',
      params: QueueName,
      reply: PauseState,
      problems: [QUEUE_NOT_FOUND],
      audit: { action: 'queue.resume', target: ({ params }) => ({ queue: params.name }) },
      handle: async ({ params: { name } }) => {
        requireMain(name);
        await settings.store.resume(name);
        await settings.read();
        return { body: { name, paused: pauseView(settings.pauseOf(name)) } };
      },
    }),
  ];
}
