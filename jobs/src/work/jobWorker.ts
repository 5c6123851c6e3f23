/** A worker of durable jobs: a queue worker of the topology that stores the record of each attempt before it settles. */
import type { Declaration, KindDeclaration } from '@fit/topology';
import type { Delivery, PublishEnd, SessionEvent } from '@fit/topology/amqp';
import type { TopologyMaintainerOptions } from '@fit/topology/assert';
import {
  type AttemptEnd,
  type AttemptResult,
  type CircuitBreakerOptions,
  QueueWorker,
  type Task,
} from '@fit/topology/work';
import type { JobListener } from '../jobEvent.ts';
import { describeError } from '../record/describeError.ts';
import { decodeJob, type JobMessage, RUN_ID_HEADER } from '../record/jobMessage.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { Batcher } from '../settle/batcher.ts';
import { type Settlement, settlementOf, TRANSITION_OF } from '../settle/settlement.ts';
import { openSettler } from '../settle/settler.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { AttemptTrace, JobTracer } from '../trace/jobTracer.ts';
import { attemptWaits } from './attemptWaits.ts';
import { BusyTime } from './busyTime.ts';
import type { Handlers, Job } from './handler.ts';

export interface JobWorkerOptions extends TopologyMaintainerOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly handlers: Handlers;
  readonly store: JobStore;
  /** Unsettled deliveries at a time; also the largest batch of settlements. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; at most `prefetchCount`. */
  readonly concurrency: number;
  /** Time that one attempt may take, in milliseconds. */
  readonly deadlineMs: number;
  /** False switches the circuit breaker off; default: on, with its own defaults. */
  readonly circuitBreaker?: CircuitBreakerOptions | false;
  readonly onEvent: JobListener;
  readonly onSession: (event: SessionEvent) => void;
  readonly tracer?: JobTracer | undefined;
  /** Receives the result of each dead letter and each message for a later tier that the worker publishes. */
  readonly onPublish?: (end: PublishEnd) => void;
  /** Wraps each attempt, so that log lines can name it. It must call `run` at once. */
  readonly around?: (<Answer>(scope: AttemptScope, run: () => Answer) => Answer) | undefined;
}

export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #settler: Batcher<Settlement>;
  /** Traces of running attempts. The trace of an attempt that never settles is freed with its delivery. */
  readonly #traces = new WeakMap<Delivery, AttemptTrace>();
  readonly #busy = new BusyTime();
  #worker: QueueWorker<JobMessage> | undefined;

  private constructor(options: JobWorkerOptions) {
    this.#options = options;
    this.#settler = openSettler({ ...options, maxCount: options.prefetchCount });
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: JobWorkerOptions): Promise<JobWorker> {
    const worker = new JobWorker(options);
    const { handlers } = options;
    worker.#worker = await QueueWorker.open({
      ...options,
      kind: options.kind.kind,
      read: ({ body }: Delivery) => decodeJob(body, (name) => handlers.get(name)?.payload),
      run: (task) => worker.#run(task),
      onLong: (message) => {
        worker.#markLong(message);
      },
      settle: (end) => {
        worker.#settle(end);
      },
      onUnconfirmed: (result) => {
        worker.#report(result, worker.#traces.get(result.delivery));
      },
    });
    return worker;
  }

  get isUp(): boolean {
    return this.#worker?.isUp === true;
  }

  /** Why the topology on the broker differs from the declaration and cannot be repaired; undefined where it is equal. */
  get topologyFault(): string | undefined {
    return this.#worker?.topologyFault;
  }

  get inFlightCount(): number {
    return this.#worker?.inFlightCount ?? 0;
  }

  /** When the oldest unsettled delivery arrived; undefined without one. */
  get oldestReceivedAtMs(): number | undefined {
    return this.#worker?.oldestReceivedAtMs;
  }

  /** Sum of the times that handlers ran; it never falls. */
  get busyMs(): number {
    return this.#busy.totalMs;
  }

  get pendingPublishCount(): number {
    return this.#worker?.pendingPublishCount ?? 0;
  }

  get isBlocked(): boolean {
    return this.#worker?.isBlocked === true;
  }

  /** Stops consuming, finishes the running attempts and returns the other deliveries to the queue. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.drain(drainMs);
    this.#settler.stop();
    await this.#worker?.close();
  }

  #run(task: Task<JobMessage>) {
    const { message, attempt, delivery } = task;
    const handler = this.#options.handlers.get(message.kind);
    // `read` has already found this handler and checked the payload with it.
    if (handler === undefined) throw new Error(`no handler for kind '${message.kind}'`);
    const trace = this.#options.tracer?.attempt(this.#options.kind, task);
    if (trace !== undefined) this.#traces.set(delivery, trace);
    const job: Job = {
      ...message,
      attempt: attempt.number,
      // Reading the signal makes it, so it is read only by a handler that needs it.
      get signal() {
        return task.signal;
      },
    };
    const run = () => handler.run(job);
    const { around, kind } = this.#options;
    return this.#busy.during(task, () =>
      around === undefined ? run() : around(scopeOf(kind.queue, task, trace), run),
    );
  }

  /** Marks a job as running. The state `running` is information only, so an error is ignored. */
  #markLong({ id, generation, payload }: JobMessage): void {
    void this.#options.store
      .change('run', [{ id, generation, payload }], new Date())
      .catch(() => undefined);
  }

  #settle(end: AttemptEnd<JobMessage>): void {
    const trace = this.#traces.get(end.delivery);
    const settlement = settlementOf(end, this.#worker?.id ?? '');
    this.#report(end, trace);
    this.#settler.add(trace === undefined ? settlement : { ...settlement, trace });
  }

  #report(result: AttemptResult<JobMessage>, trace: AttemptTrace | undefined): void {
    trace?.end(result);
    const { outcome, kind, step, startedAt, endedAt } = result;
    this.#options.onEvent({
      type: 'attempted',
      ...scopeOf(kind.queue, result, trace),
      kind: result.message.kind,
      state: TRANSITIONS[TRANSITION_OF[step.type]].to,
      outcome: outcome.type,
      durationMs: endedAt.getTime() - startedAt.getTime(),
      ...('error' in outcome ? { errorClass: describeError(outcome.error).class } : {}),
      ...attemptWaits(result),
    });
  }
}

/** Identifies the attempt that runs; log lines of the handler carry it. */
export interface AttemptScope {
  readonly jobId: string;
  /** The first run that requested the job; undefined where its message has none. */
  readonly runId: string | undefined;
  readonly queue: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly traceparent: string | undefined;
}

const RUN_ID_LIMIT_CHARS = 100;

function scopeOf(
  queue: string,
  { message, attempt, delivery }: Pick<Task<JobMessage>, 'message' | 'attempt' | 'delivery'>,
  trace: AttemptTrace | undefined,
): AttemptScope {
  const runId = delivery.headers[RUN_ID_HEADER];
  // Any publisher can write any header.
  const isValid = typeof runId === 'string' && runId !== '' && runId.length <= RUN_ID_LIMIT_CHARS;
  return {
    jobId: message.id,
    runId: isValid ? runId : undefined,
    queue,
    attempt: attempt.number,
    traceparent: trace?.traceparent,
  };
}
