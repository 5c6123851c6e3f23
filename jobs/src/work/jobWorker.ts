/** A worker of durable jobs: a worker of the topology that stores the record of each attempt before it settles. */
import { randomUUID } from 'node:crypto';
import {
  type AttemptInfo,
  type BreakerOptions,
  type Connection,
  createWorker,
  type Declaration,
  errorClass,
  type KindDeclaration,
  type Outcome,
  outcomeOfThrow,
  type RawMessage,
  type ReadMessage,
  type TopologyEvent,
  type Worker,
} from '@fit/topology';
import type { JobListener } from '../jobEvent.ts';
import { decodeJob, type ReceivedJob } from '../record/jobMessage.ts';
import { jobTopology } from '../record/jobTopology.ts';
import { SIGNATURE_HEADER } from '../record/messageSignature.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { EndCounter } from '../settle/endCounter.ts';
import { type EndedJob, StoredAnswer, settlementOf, transitionOf } from '../settle/settlement.ts';
import { Settler } from '../settle/settler.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { AttemptTrace, JobTracer } from '../trace/jobTracer.ts';
import { attemptWaits } from './attemptWaits.ts';
import { BusyTime } from './busyTime.ts';
import { CancellationWatch, CancelledJobs } from './cancelledJobs.ts';
import type { Handler, Handlers, Job } from './handler.ts';
import { tellWorkerEvent } from './workerEvents.ts';
import { WorkerHeartbeat } from './workerHeartbeat.ts';

export interface JobWorkerOptions {
  /** Its owner closes it after the worker. */
  readonly connection: Connection;
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly handlers: Handlers;
  readonly stores: Pick<JobStores, 'jobs' | 'workers' | 'clock' | 'signer' | 'cancellations'>;
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
  /** True: its queue is paused, so it takes nothing until `resume('queue')`. Default false. */
  readonly isPaused?: boolean;
  /** Release of the program, shown with the worker; default none. */
  readonly version?: string;
  /** The settings in force in this process, shown with the worker; default none. */
  readonly settings?: () => Readonly<Record<string, number | string>>;
  /** False switches the circuit breaker off; default: on, with its own defaults. */
  readonly breaker?: BreakerOptions | false;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  /** Wraps each attempt, so that log lines can name it. It must call `run` at once. */
  readonly around?: (<Answer>(scope: AttemptScope, run: () => Answer) => Answer) | undefined;
}

/** Who wants the worker to take nothing: the program, the operator of its queue, or the operator of this worker alone. */
export type PauseReason = 'program' | 'queue' | 'drain';

/** Whether a job is cancelled is asked inside the time of its attempt, so a database that hangs must not use that time up. */
const ASK_LIMIT_MS = 1_000;

export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #settler: Settler;
  readonly #heartbeat: WorkerHeartbeat;
  /** Traces of running attempts. The trace of an attempt that never settles is freed with its delivery. */
  readonly #traces = new WeakMap<ReceivedJob, AttemptTrace>();
  readonly #busy = new BusyTime();
  readonly #cancelled: CancelledJobs;
  readonly #cancellations: CancellationWatch;
  /** It takes messages while nobody wants it to take none. */
  readonly #pauses = new Set<PauseReason>();
  #worker: Worker | undefined;

  private constructor(options: JobWorkerOptions, id: string) {
    this.#options = options;
    this.#settler = new Settler({ ...options, workerId: id });
    const askLimitMs = Math.min(ASK_LIMIT_MS, options.deadlineMs / 4);
    this.#cancelled = new CancelledJobs(options.stores.jobs, askLimitMs);
    this.#cancellations = new CancellationWatch(options.stores);
    if (options.isPaused === true) this.#pauses.add('queue');
    this.#heartbeat = new WorkerHeartbeat({
      stores: options.stores,
      id,
      status: () => ({
        kind: options.kind.kind,
        queue: options.kind.queue,
        version: options.version ?? '',
        runningCount: this.#busy.runningCount,
        prefetchCount: options.prefetchCount,
        isPaused: this.isPaused,
        settings: options.settings?.() ?? {},
      }),
      onDrain: (isDrained) => {
        this.setPaused('drain', isDrained);
      },
      unsettledIds: () => this.#worker?.inFlightIds ?? [],
      ...(options.heartbeatMs === undefined ? {} : { intervalMs: options.heartbeatMs }),
    });
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: JobWorkerOptions): Promise<JobWorker> {
    const id = randomUUID();
    const worker = new JobWorker(options, id);
    await worker.#heartbeat.start();
    worker.#cancellations.start();
    try {
      worker.#worker = await worker.#open(id);
      // At once, because the first attempt begins after `open` has returned.
      if (worker.#pauses.size > 0) await worker.#worker.pause();
    } catch (error) {
      worker.#cancellations.stop();
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
    return this.#worker?.inFlight ?? 0;
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
    return this.#worker?.unconfirmed ?? 0;
  }

  /** True while an alarm of the broker keeps the worker from publishing dead letters. */
  get isBlocked(): boolean {
    return this.#options.connection.isBlocked;
  }

  /** True between `pause` and `resume`. */
  get isPaused(): boolean {
    return this.#worker?.isPaused === true;
  }

  /** Stops consuming and gives back what has not begun; running attempts go on. Resolves once nothing more arrives. */
  async pause(reason: PauseReason = 'program'): Promise<void> {
    this.#pauses.add(reason);
    await this.#worker?.pause();
  }

  /** Consumes again once nobody wants a pause any more. */
  resume(reason: PauseReason = 'program'): void {
    if (this.#pauses.delete(reason) && this.#pauses.size === 0) void this.#worker?.resume();
  }

  /** Pauses or resumes for one reason; a repetition changes nothing. */
  setPaused(reason: PauseReason, isPaused: boolean): void {
    if (!isPaused) this.resume(reason);
    else if (!this.#pauses.has(reason)) void this.pause(reason);
  }

  /** Stops consuming, finishes the running attempts and returns the other deliveries to the queue. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.stop({ deadline: drainMs });
    this.#settler.stop();
    this.#cancellations.stop();
    await this.#heartbeat.stop();
  }

  async #open(id: string): Promise<Worker> {
    const { connection, declaration, kind, prefetchCount, concurrency, deadlineMs, breaker } =
      this.#options;
    return await createWorker({
      connection,
      topology: jobTopology(declaration),
      queue: kind.kind,
      id,
      concurrency: Math.min(concurrency, prefetchCount),
      prefetch: prefetchCount,
      deadline: deadlineMs,
      ...(breaker === undefined ? {} : { breaker }),
      decode: (message) => this.#decode(message),
      handler: (message) => this.#run(message as DeliveredJob),
      onError: (error) => outcomeOfThrow(kind, error),
      onLong: ({ body }) => {
        this.#heartbeat.addLong(body as ReceivedJob);
      },
      settle: (end) => this.#settle(end as EndedJob),
      onReturned: (end) => {
        const { body } = (end as EndedJob).message;
        this.#heartbeat.end(body);
        this.#report(end as EndedJob, this.#traces.get(body));
      },
      hooks: {
        onEvent: (event) => {
          this.#tell(event);
        },
      },
    });
  }

  /** @throws MalformedMessage */
  #decode({ body, headers }: RawMessage): ReceivedJob {
    const { handlers, stores } = this.#options;
    return decodeJob(
      body as Buffer,
      (name) => handlers.get(name)?.payload,
      () => stores.signer.accepts(headers[SIGNATURE_HEADER], body as Buffer),
    );
  }

  #run(message: DeliveredJob): Outcome | Promise<Outcome> {
    const { body, attempt } = message;
    const { around, handlers, kind, tracer } = this.#options;
    const handler = handlers.get(body.kind);
    // `decode` has already found this handler and checked the payload with it.
    if (handler === undefined) throw new Error(`no handler for kind '${body.kind}'`);
    const trace = tracer?.attempt(kind, message, attempt.number);
    if (trace !== undefined) this.#traces.set(body, trace);
    const job = new RunningJob(message);
    return this.#busy.during(message, () =>
      around === undefined
        ? this.#runUnlessCancelled(handler, job)
        : around(scopeOf(kind.queue, message, trace), () => this.#runUnlessCancelled(handler, job)),
    );
  }

  /** Without a promise where nobody has cancelled a job lately, because a result that is returned at once is cheaper. */
  #runUnlessCancelled(handler: Handler, job: Job): Outcome | Promise<Outcome> {
    return this.#cancellations.isRecent ? this.#askAndRun(handler, job) : handler.run(job);
  }

  async #askAndRun(handler: Handler, job: Job): Promise<Outcome> {
    return (await this.#cancelled.has(job.id))
      ? { type: 'discard', reason: 'cancelled' }
      : await handler.run(job);
  }

  /** @returns what takes the place of the outcome, once everything is stored. */
  #settle(end: EndedJob): StoredAnswer {
    const { body } = end.message;
    const trace = this.#options.tracer === undefined ? undefined : this.#traces.get(body);
    this.#heartbeat.end(body);
    this.#report(end, trace);
    const stored = new StoredAnswer();
    this.#settler.add(settlementOf(end, trace, stored.settle));
    return stored;
  }

  #report(end: EndedJob, trace: AttemptTrace | undefined): void {
    trace?.end(end);
    const { kind } = this.#options;
    const { message, outcome, attempt } = end;
    const receivedAt = this.#options.stores.clock.fromProcessTime(message.receivedAtMs);
    const { queueWaitMs, delayMs, waitQueue } = attemptWaits(kind, end, receivedAt.getTime());
    this.#options.onEvent({
      type: 'attempted',
      jobId: message.body.id,
      runId: message.body.runId,
      attempt: attempt.number,
      kind: message.body.kind,
      queue: kind.queue,
      state: TRANSITIONS[transitionOf(end)].to,
      outcome: outcome.type,
      durationMs: end.endedAt.getTime() - end.startedAt.getTime(),
      errorClass: 'error' in outcome ? errorClass(outcome.error) : undefined,
      delayMs,
      waitQueue,
      queueWaitMs,
      traceparent: trace?.traceparent,
    });
  }

  /** What happens to the worker beside its attempts, which `settle` and `onReturned` report. */
  #tell(event: TopologyEvent): void {
    tellWorkerEvent(event, this.#options.kind.queue, this.#options.onEvent);
  }
}

type DeliveredJob = ReadMessage<ReceivedJob> & {
  readonly attempt: AttemptInfo;
  readonly signal: AbortSignal;
};

/** What a handler gets. */
class RunningJob implements Job {
  readonly id: string;
  readonly kind: string;
  readonly generation: number;
  readonly payload: unknown;
  readonly attempt: number;
  readonly #message: DeliveredJob;

  constructor(message: DeliveredJob) {
    const { id, kind, generation, payload } = message.body;
    this.id = id;
    this.kind = kind;
    this.generation = generation;
    this.payload = payload;
    this.attempt = message.attempt.number;
    this.#message = message;
  }

  /** Reading the signal makes it, so it is read only by a handler that needs it. */
  get signal(): AbortSignal {
    return this.#message.signal;
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
  { body, attempt }: DeliveredJob,
  trace: AttemptTrace | undefined,
): AttemptScope {
  return {
    jobId: body.id,
    runId: body.runId,
    queue,
    attempt: attempt.number,
    traceparent: trace?.traceparent,
  };
}
