/** A worker of durable jobs: the topology's worker, with records around each attempt. */
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
import type { JobListener } from '../event.ts';
import { describeError } from '../record/describeError.ts';
import { decodeJob, type JobMessage } from '../record/jobMessage.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { Batcher } from '../settle/batcher.ts';
import { type Settlement, settlementOf, TRANSITION_OF } from '../settle/settlement.ts';
import { openSettler } from '../settle/settler.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { AttemptTrace, JobTracer } from '../trace/jobTracer.ts';
import { type AttemptScope, scopeOf } from './attemptScope.ts';
import { BusyTime } from './busyTime.ts';
import type { Handlers } from './handler.ts';
import { waitsOf } from './waits.ts';

export interface JobWorkerOptions extends TopologyMaintainerOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly handlers: Handlers;
  readonly store: JobStore;
  /** Deliveries unsettled at a time; also the largest batch. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; at most the prefetch. */
  readonly concurrency: number;
  readonly deadlineMs: number;
  /** Default on. */
  readonly circuitBreaker?: CircuitBreakerOptions | false;
  readonly onEvent: JobListener;
  readonly onSession: (event: SessionEvent) => void;
  readonly tracer?: JobTracer | undefined;
  /** Told of each letter and each message for a later tier that it publishes. */
  readonly onPublish?: (end: PublishEnd) => void;
  /** Runs each attempt, for whoever wants to know what is being worked on: logs. Must call `run` at once. */
  readonly around?: (<Answer>(scope: AttemptScope, run: () => Answer) => Answer) | undefined;
}

export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #settler: Batcher<Settlement>;
  /** Of attempts that run; one whose settlement never comes goes with its delivery. */
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
        worker.#tell(result, worker.#traces.get(result.delivery));
      },
    });
    return worker;
  }

  get isUp(): boolean {
    return this.#worker?.isUp === true;
  }

  /** Why the topology is not as declared and cannot be mended; undefined where it is. */
  get topologyFault(): string | undefined {
    return this.#worker?.topologyFault;
  }

  get inFlightCount(): number {
    return this.#worker?.inFlightCount ?? 0;
  }

  /** Since when the oldest unsettled delivery is here; undefined without any. */
  get oldestReceivedAtMs(): number | undefined {
    return this.#worker?.oldestReceivedAtMs;
  }

  /** How long handlers have run, all together; only rises. */
  get busyMs(): number {
    return this.#busy.totalMs;
  }

  get pendingPublishCount(): number {
    return this.#worker?.pendingPublishCount ?? 0;
  }

  get isBlocked(): boolean {
    return this.#worker?.isBlocked === true;
  }

  /** Takes nothing new, finishes what runs, gives the rest back. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.drain(drainMs);
    this.#settler.stop();
    await this.#worker?.close();
  }

  #run(task: Task<JobMessage>) {
    const { message, attempt, signal, delivery } = task;
    const handler = this.#options.handlers.get(message.kind);
    // Its payload was checked by this very handler a moment ago.
    if (handler === undefined) throw new Error(`no handler for kind '${message.kind}'`);
    const trace = this.#options.tracer?.attempt(this.#options.kind, task);
    if (trace !== undefined) this.#traces.set(delivery, trace);
    const run = () => handler.run({ ...message, attempt: attempt.number, signal });
    const { around, kind } = this.#options;
    return this.#busy.during(signal, () =>
      around === undefined ? run() : around(scopeOf(kind.queue, task, trace), run),
    );
  }

  /** Only a label for those who watch; the attempt itself does not depend on it. */
  #markLong({ id, generation, payload }: JobMessage): void {
    void this.#options.store
      .change('run', [{ id, generation, payload }], new Date())
      .catch(() => undefined);
  }

  #settle(end: AttemptEnd<JobMessage>): void {
    const trace = this.#traces.get(end.delivery);
    const settlement = settlementOf(end, this.#worker?.id ?? '');
    this.#tell(end, trace);
    this.#settler.add(trace === undefined ? settlement : { ...settlement, trace });
  }

  #tell(result: AttemptResult<JobMessage>, trace: AttemptTrace | undefined): void {
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
      ...waitsOf(result),
    });
  }
}
