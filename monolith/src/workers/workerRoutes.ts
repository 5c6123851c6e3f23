/** The workers for operators: list them, and drain or resume one. */
import {
  type JobStores,
  type ListedWorker,
  WORKER_DEAD_AFTER_MS,
  type WorkerRecord,
} from '@fit/jobs/store';
import { defineRoute, OPERATORS, Problem, READERS, type Route, type Settings } from '@fit/service';
import Type, { type Static } from 'typebox';
import { required } from '../accounts/routes/signInRoutes.ts';
import { Reason } from '../queues/queueRoutes.ts';
import { PauseView, pauseView } from '../queues/queueStatus.ts';
import { limitOf, listQuery, nextOf } from '../routes/keysetList.ts';

export interface WorkerRouteParts {
  readonly stores: Pick<JobStores, 'workers' | 'clock'>;
  readonly settings: Pick<Settings, 'pauseOf'>;
}

const WorkerId = Type.String({ minLength: 1, maxLength: 200 });
const Count = Type.Integer({ minimum: 0 });

const WorkerView = Type.Object(
  {
    /** As attempts and the broker's connections name it. A coach that starts again has a new worker for each kind. */
    id: WorkerId,
    kind: Type.String(),
    queue: Type.String(),
    /**
     * working: it takes jobs. draining: it was told to take no more, and attempts run, or it has not heard of it yet. paused: it takes
     * nothing, and nothing runs. gone: no heartbeat for 20 s; the broker has given its jobs to others.
     */
    state: Type.Enum(['working', 'draining', 'paused', 'gone']),
    /** Attempts that run. */
    running: Count,
    /** Jobs that are delivered to it and not settled, those that wait in it included. */
    inHand: Count,
    /** The most jobs that it has in hand. */
    prefetch: Count,
    /** Its first heartbeat. */
    since: Type.String(),
    /** Its last heartbeat; the counts are of that time. One is sent every 5 s. */
    asOf: Type.String(),
    version: Type.String(),
    /** The settings in force in its process, of those that can be changed at run time. */
    settings: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()])),
    /** Null: nobody drained this worker alone; its queue may be paused. */
    drain: Type.Union([PauseView, Type.Null()]),
  },
  { title: 'Worker' },
);

const WORKER_NOT_FOUND = {
  status: 404,
  code: 'worker_not_found',
  when: 'no worker with this id has had a heartbeat for 20 seconds',
  remedy: 'GET /workers lists the workers.',
} as const;

export function workerRoutes({ stores, settings }: WorkerRouteParts): Route[] {
  const view = (worker: ListedWorker | WorkerRecord) =>
    workerView(worker, stores.clock.now(), settings.pauseOf(worker.queue) !== undefined);
  const found = (id: string, worker: WorkerRecord | undefined) => {
    if (worker !== undefined) return { body: view(worker) };
    throw new Problem({ ...WORKER_NOT_FOUND, title: `No worker '${id}' is running` });
  };
  return [
    defineRoute({
      method: 'get',
      paths: ['/workers'],
      access: READERS,
      summary: 'List the workers',
      description: 'In the order of their ids. One that is gone is listed for an hour.',
      tag: 'Workers',
      query: Type.Object(listQuery(WorkerId), { additionalProperties: false }),
      reply: Type.Object({ workers: Type.Array(WorkerView), next: Type.Optional(WorkerId) }),
      handle: async ({ query }) => {
        const limit = limitOf(query);
        const listed = await stores.workers.list(query.after ?? '', limit);
        const ids = listed.map(({ _id }) => _id);
        return { body: { workers: listed.map(view), ...nextOf(ids, limit) } };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/workers/:workerId/drain'],
      access: OPERATORS,
      summary: 'Drain one worker',
      description:
        'It obeys with its next heartbeat, within 5 s: running attempts end, what has not begun goes back to the queue for other workers, and it takes no more. It ends by `/resume`, or with the worker: a coach that starts again has new workers, which take jobs, so that a forgotten drain does not survive a deployment. To keep all workers of a queue from taking jobs, pause the queue.',
      tag: 'Workers',
      params: Type.Object({ workerId: WorkerId }),
      body: Type.Object({ reason: Reason }, { additionalProperties: false }),
      reply: WorkerView,
      problems: [WORKER_NOT_FOUND],
      audit: { action: 'worker.drain', target: ({ params }) => ({ worker: params.workerId }) },
      handle: async ({ params: { workerId }, body: { reason }, caller }) => {
        const by = required(caller).accountId;
        return found(
          workerId,
          await stores.workers.drain(workerId, { by, reason }, stores.clock.now()),
        );
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/workers/:workerId/resume'],
      access: OPERATORS,
      summary: 'Resume a drained worker',
      description:
        'It takes jobs again after its next heartbeat, within 5 s, unless its queue is paused.',
      tag: 'Workers',
      params: Type.Object({ workerId: WorkerId }),
      reply: WorkerView,
      problems: [WORKER_NOT_FOUND],
      audit: { action: 'worker.resume', target: ({ params }) => ({ worker: params.workerId }) },
      handle: async ({ params: { workerId } }) =>
        found(workerId, await stores.workers.resume(workerId, stores.clock.now())),
    }),
  ];
}

/** No I/O. @param now the database's time. */
export function workerView(
  worker: ListedWorker | WorkerRecord,
  now: Date,
  isQueuePaused: boolean,
): Static<typeof WorkerView> {
  const inHand = 'inHandCount' in worker ? worker.inHandCount : worker.jobIds.length;
  return {
    id: worker._id,
    kind: worker.kind,
    queue: worker.queue,
    state: stateOf(worker, inHand, { now, isQueuePaused }),
    running: worker.runningCount,
    inHand,
    prefetch: worker.prefetchCount,
    since: worker.startedAt.toISOString(),
    asOf: worker.seenAt.toISOString(),
    version: worker.version,
    settings: worker.settings,
    drain: pauseView(worker.drain),
  };
}

/** @param now the database's time. */
export function isGone({ seenAt }: Pick<WorkerRecord, 'seenAt'>, now: Date): boolean {
  return now.getTime() - seenAt.getTime() > WORKER_DEAD_AFTER_MS;
}

function stateOf(
  worker: Pick<WorkerRecord, 'seenAt' | 'isPaused' | 'drain'>,
  inHand: number,
  { now, isQueuePaused }: { readonly now: Date; readonly isQueuePaused: boolean },
): Static<typeof WorkerView>['state'] {
  const { isPaused, drain } = worker;
  if (isGone(worker, now)) return 'gone';
  if (isPaused && inHand === 0) return 'paused';
  return isPaused || isQueuePaused || drain !== undefined ? 'draining' : 'working';
}
