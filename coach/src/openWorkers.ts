/** Opens a worker for each registered kind, and shows all of them as one to health and metrics. */
import { createWod, findKind } from '@fit/contract';
import { type Handler, JobWorker, type JobWorkerOptions } from '@fit/jobs';
import type { ResultStore } from '@fit/jobs/store';
import type { KindDeclaration } from '@fit/topology';
import { resultHandler } from './handlers/resultHandler.ts';

export interface OpenWorkersOptions
  extends Omit<JobWorkerOptions, 'kind' | 'handlers' | 'breaker' | 'isPaused'> {
  /** The handler of `createWod`. Breaker, prefetch and deadline of these options are those of its worker. */
  readonly createWod: Handler;
  readonly breaker: NonNullable<JobWorkerOptions['breaker']>;
  readonly results: Pick<ResultStore, 'storeAll' | 'findStored'>;
  /** Whether an operator has paused a main queue. */
  readonly isQueuePaused: (queue: string) => boolean;
}

/**
 * Resolves when every worker is open.
 * @throws TopologyError where the broker cannot carry the declaration; the workers that were open are closed then.
 */
export async function openWorkers(options: OpenWorkersOptions): Promise<Workers> {
  const openings = options.declaration.kinds.map((kind) => openWorker(kind, options));
  const opened = await Promise.allSettled(openings);
  const workers = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = opened.find((each) => each.status === 'rejected');
  if (failed === undefined) return new Workers(workers);
  await Promise.allSettled(workers.map(({ worker }) => worker.close(0)));
  throw failed.reason;
}

async function openWorker(
  declared: KindDeclaration,
  { createWod: wodHandler, breaker, results, isQueuePaused, ...options }: OpenWorkersOptions,
): Promise<KindWorker> {
  const { kind: name, queue } = declared;
  const shared = { ...options, kind: declared, isPaused: isQueuePaused(queue) };
  if (name === createWod.name) {
    const handlers = new Map([[name, wodHandler]]);
    const worker = await JobWorker.open({ ...shared, breaker, handlers });
    return { kind: name, queue, worker, concurrency: shared.concurrency };
  }
  const kind = findKind(name);
  if (kind?.result === undefined) throw new Error(`no handler for the kind ${name}`);
  const handlers = new Map([[name, resultHandler(kind, await kind.handler(), results)]]);
  const { concurrency } = shared;
  const worker = await JobWorker.open({
    ...shared,
    handlers,
    // A message that waits in this process would keep other coaches from it.
    prefetchCount: 2 * concurrency,
    deadlineMs: declared.deadlineMs,
  });
  return { kind: name, queue, worker, concurrency };
}

export interface KindWorker {
  readonly kind: string;
  readonly queue: string;
  readonly worker: JobWorker;
  /** Handlers that run at a time. */
  readonly concurrency: number;
}

/** The workers of this process. */
export class Workers {
  readonly ofKinds: readonly KindWorker[];

  constructor(ofKinds: readonly KindWorker[]) {
    this.ofKinds = ofKinds;
  }

  get isUp(): boolean {
    return this.ofKinds.every(({ worker }) => worker.isUp);
  }

  /** The first difference of a topology from its declaration that cannot be repaired. */
  get topologyFault(): string | undefined {
    return this.ofKinds
      .map(({ worker }) => worker.topologyFault)
      .find((fault) => fault !== undefined);
  }

  get inFlightCount(): number {
    return this.#sum(({ inFlightCount }) => inFlightCount);
  }

  /** When the oldest unsettled delivery arrived; undefined without one. */
  get oldestReceivedAtMs(): number | undefined {
    const times = this.ofKinds.flatMap(({ worker }) => worker.oldestReceivedAtMs ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  get pendingPublishCount(): number {
    return this.#sum(({ pendingPublishCount }) => pendingPublishCount);
  }

  get isBlocked(): boolean {
    return this.ofKinds.some(({ worker }) => worker.isBlocked);
  }

  /** Pauses and resumes each worker as the operators say of its queue. */
  setPaused(isQueuePaused: (queue: string) => boolean): void {
    for (const { queue, worker } of this.ofKinds) worker.setPaused('queue', isQueuePaused(queue));
  }

  /** Stops consuming in all workers at once, as `JobWorker.close` does. */
  async close(drainMs: number): Promise<void> {
    await Promise.all(this.ofKinds.map(({ worker }) => worker.close(drainMs)));
  }

  #sum(count: (worker: JobWorker) => number): number {
    return this.ofKinds.reduce((sum, { worker }) => sum + count(worker), 0);
  }
}
