/** A worker that has no database: it reports the end of each attempt to a callback, and acknowledges the message afterwards. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Declaration, KindDeclaration } from '@fit/topology';
import type { SessionEvent } from '@fit/topology/amqp';
import type { TopologyMaintainerOptions } from '@fit/topology/assert';
import { type AttemptEnd, QueueWorker } from '@fit/topology/work';
import type { JobListener } from '../jobEvent.ts';
import { decodeJob, type JobMessage } from '../record/jobMessage.ts';
import type { ResultDocument } from '../store/resultStore.ts';
import { ANY_PAYLOAD, type KindWork, runAttempt } from './jobHandler.ts';
import { JobRefused } from './jobRefused.ts';
import { type JobReport, reportOf } from './jobReport.ts';

export interface ReportingWorkerOptions extends TopologyMaintainerOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly work: KindWork;
  readonly concurrency: number;
  readonly prefetchCount: number;
  /**
   * Called at the end of each attempt, and again after pauses that grow while it throws: until then the message stays with
   * the broker, so nothing is lost while the receiver is away. It may be called twice for one attempt. Where it throws
   * JobRefused `REPORT_INVALID`, the message belongs to no job and goes to the dead-letter queue.
   */
  readonly report: (report: JobReport) => Promise<void>;
  readonly onEvent: JobListener;
  readonly onSession: (event: SessionEvent) => void;
}

type End = AttemptEnd<JobMessage, ResultDocument>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export class ReportingWorker {
  readonly #options: ReportingWorkerOptions;
  readonly #stopping = new AbortController();
  readonly id: string;
  #worker: QueueWorker<JobMessage, ResultDocument> | undefined;

  private constructor(options: ReportingWorkerOptions, id: string) {
    this.#options = options;
    this.id = id;
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: ReportingWorkerOptions): Promise<ReportingWorker> {
    const reporting = new ReportingWorker(options, randomUUID());
    reporting.#worker = await QueueWorker.open<JobMessage, ResultDocument>({
      ...options,
      id: reporting.id,
      kind: options.kind.kind,
      read: ({ body }) =>
        decodeJob(
          body,
          (name) => (name === options.kind.kind ? ANY_PAYLOAD : undefined),
          // The key of signatures is in the database.
          () => false,
        ),
      run: (task) =>
        runAttempt(options.work, {
          id: task.message.id,
          kind: task.message.kind,
          payload: task.message.payload,
          attempt: task.attempt.number,
          get signal() {
            return task.signal;
          },
        }),
      settle: (end) => {
        void reporting.#settle(end);
      },
    });
    return reporting;
  }

  get isUp(): boolean {
    return this.#worker?.isUp === true;
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

  /** Stops consuming, finishes and reports the running attempts, and returns the other messages to the queue. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.drain(drainMs);
    this.#stopping.abort();
    await this.#worker?.close();
  }

  async #settle(end: End): Promise<void> {
    const { report, onEvent } = this.#options;
    const { signal } = this.#stopping;
    const told = reportOf(end, this.id);
    let pauseMs = FIRST_PAUSE_MS;
    let isFailing = false;
    // A message whose connection was lost is delivered again, and its next attempt reports for itself.
    while (!signal.aborted && end.delivery.isCurrent) {
      try {
        await report(told);
        end.settleDelivery();
        return;
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (error instanceof JobRefused && error.code === 'REPORT_INVALID') {
          onEvent({ type: 'stageFailed', stage: 'report', error });
          await end.refuse(error).catch((failed: unknown) => {
            onEvent({ type: 'stageFailed', stage: 'report', error: failed as Error });
          });
          return;
        }
        if (!isFailing) onEvent({ type: 'stageFailed', stage: 'report', error });
        isFailing = true;
        await pause(pauseMs, undefined, { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }
}
