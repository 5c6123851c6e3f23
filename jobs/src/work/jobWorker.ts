/** A worker of durable jobs: a queue worker of the topology that stores the record of each attempt before it settles. */
import { randomUUID } from 'node:crypto';
import { type Declaration, errorClass, type KindDeclaration } from '@fit/topology';
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
import { decodeJob, type ReceivedJob } from '../record/jobMessage.ts';
import { SIGNATURE_HEADER } from '../record/messageSignature.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { EndCounter } from '../settle/endCounter.ts';
import { settlementOf, TRANSITION_OF } from '../settle/settlement.ts';
import { Settler } from '../settle/settler.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { AttemptTrace, JobTracer } from '../trace/jobTracer.ts';
import { attemptWaits } from './attemptWaits.ts';
import { BusyTime } from './busyTime.ts';
import type { Handlers, Job } from './handler.ts';
import { WorkerHeartbeat } from './workerHeartbeat.ts';

export interface JobWorkerOptions extends TopologyMaintainerOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly handlers: Handlers;
  readonly stores: Pick<JobStores, 'jobs' | 'workers' | 'clock' | 'signer'>;
  /** Counts the ends of jobs for their runs. Its owner closes it after the worker. */
  readonly endCounter: EndCounter;
  /** Unsettled deliveries at a time. Two stages settle up to 500 each; with 2,000 the next batches are full, which costs a tenth less than 1,000. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; at most `prefetchCount`. */
  readonly concurrency: number;
  /** Time that one attempt may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Time between two heartbeats in milliseconds; default `HEARTBEAT_MS`. */
  readonly heartbeatMs?: number;
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
  readonly #settler: Settler;
  readonly #heartbeat: WorkerHeartbeat;
  /** Traces of running attempts. The trace of an attempt that never settles is freed with its delivery. */
  readonly #traces = new WeakMap<Delivery, AttemptTrace>();
  readonly #busy = new BusyTime();
  #worker: QueueWorker<ReceivedJob> | undefined;

  private constructor(options: JobWorkerOptions, id: string) {
    this.#options = options;
    this.#settler = new Settler({ ...options, workerId: id });
    this.#heartbeat = new WorkerHeartbeat({
      stores: options.stores,
      id,
      kind: options.kind.kind,
      unsettledIds: () => this.#worker?.unsettledIds ?? [],
      ...(options.heartbeatMs === undefined ? {} : { intervalMs: options.heartbeatMs }),
    });
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: JobWorkerOptions): Promise<JobWorker> {
    const id = randomUUID();
    const worker = new JobWorker(options, id);
    await worker.#heartbeat.start();
    try {
      worker.#worker = await QueueWorker.open({
        ...options,
        id,
        kind: options.kind.kind,
        read: (delivery) => worker.#read(delivery),
        run: (task) => worker.#run(task),
        onLong: (message) => {
          worker.#heartbeat.addLong(message);
        },
        settle: (end) => {
          worker.#settle(end);
        },
        onUnconfirmed: (result) => {
          worker.#heartbeat.end(result.message);
          worker.#report(result, worker.#traces.get(result.delivery));
        },
      });
    } catch (error) {
      await worker.#heartbeat.stop();
      throw error;
    }
    return worker;
  }

  /** Name of the worker on its connections, in attempts, and of its heartbeat. */
  get id(): string {
    return this.#worker?.id ?? '';
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

  /** True between `pause` and `resume`. */
  get isPaused(): boolean {
    return this.#worker?.isPaused === true;
  }

  /** Stops consuming; running attempts go on. Resolves once nothing more arrives. */
  async pause(): Promise<void> {
    await this.#worker?.pause();
  }

  /** Consumes again after a pause. */
  resume(): void {
    this.#worker?.resume();
  }

  /** Stops consuming, finishes the running attempts and returns the other deliveries to the queue. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.drain(drainMs);
    this.#settler.stop();
    await this.#worker?.close();
    await this.#heartbeat.stop();
  }

  /** @throws MalformedMessage */
  #read({ body, headers }: Delivery): ReceivedJob {
    const { handlers, stores } = this.#options;
    return decodeJob(
      body,
      (name) => handlers.get(name)?.payload,
      () => stores.signer.accepts(headers[SIGNATURE_HEADER], body),
    );
  }

  #run(task: Task<ReceivedJob>) {
    const { message, attempt, delivery } = task;
    const { around, handlers, kind, tracer } = this.#options;
    const handler = handlers.get(message.kind);
    // `read` has already found this handler and checked the payload with it.
    if (handler === undefined) throw new Error(`no handler for kind '${message.kind}'`);
    const trace = tracer?.attempt(kind, task);
    if (trace !== undefined) this.#traces.set(delivery, trace);
    const job: Job = {
      id: message.id,
      kind: message.kind,
      generation: message.generation,
      payload: message.payload,
      attempt: attempt.number,
      // Reading the signal makes it, so it is read only by a handler that needs it.
      get signal() {
        return task.signal;
      },
    };
    return this.#busy.during(task, () =>
      around === undefined
        ? handler.run(job)
        : around(scopeOf(kind.queue, task, trace), () => handler.run(job)),
    );
  }

  #settle(end: AttemptEnd<ReceivedJob>): void {
    const trace = this.#options.tracer === undefined ? undefined : this.#traces.get(end.delivery);
    this.#heartbeat.end(end.message);
    this.#report(end, trace);
    this.#settler.add(settlementOf(end, trace));
  }

  #report(result: AttemptResult<ReceivedJob>, trace: AttemptTrace | undefined): void {
    trace?.end(result);
    const { message, outcome, kind, step, attempt, delivery } = result;
    const receivedAt = this.#options.stores.clock.fromProcessTime(delivery.receivedAtMs);
    const { queueWaitMs, delayMs, waitQueue } = attemptWaits(result, receivedAt.getTime());
    this.#options.onEvent({
      type: 'attempted',
      jobId: message.id,
      runId: message.runId,
      attempt: attempt.number,
      kind: message.kind,
      queue: kind.queue,
      state: TRANSITIONS[TRANSITION_OF[step.type]].to,
      outcome: outcome.type,
      durationMs: result.endedAt.getTime() - result.startedAt.getTime(),
      errorClass: 'error' in outcome ? errorClass(outcome.error) : undefined,
      delayMs,
      waitQueue,
      queueWaitMs,
      traceparent: trace?.traceparent,
    });
  }
}

/** Identifies the attempt that runs; log lines of the handler carry it. */
export interface AttemptScope {
  readonly jobId: string;
  /** The run that the message names, which an unsigned one may do wrongly; undefined where it names none. */
  readonly runId: string | undefined;
  readonly queue: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly traceparent: string | undefined;
}

function scopeOf(
  queue: string,
  { message, attempt }: Task<ReceivedJob>,
  trace: AttemptTrace | undefined,
): AttemptScope {
  return {
    jobId: message.id,
    runId: message.runId,
    queue,
    attempt: attempt.number,
    traceparent: trace?.traceparent,
  };
}
