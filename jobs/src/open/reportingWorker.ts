/** A worker that has no database: it reports the end of each attempt to a callback, and acknowledges the message afterwards. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Connection,
  createWorker,
  type Declaration,
  type KindDeclaration,
  type Outcome,
  outcomeOfThrow,
  reject,
  type SettledAttempt,
  type Worker,
} from '@fit/topology';
import type { JobListener } from '../jobEvent.ts';
import { decodeJob, type JobMessage } from '../record/jobMessage.ts';
import { jobTopology } from '../record/jobTopology.ts';
import type { ResultDocument } from '../store/resultStore.ts';
import { tellWorkerEvent } from '../work/workerEvents.ts';
import { ANY_PAYLOAD, type KindWork, runAttempt } from './jobHandler.ts';
import { JobRefused } from './jobRefused.ts';
import { type JobReport, reportOf } from './jobReport.ts';

export interface ReportingWorkerOptions {
  /** Its owner closes it after the worker. */
  readonly connection: Connection;
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
}

type End = SettledAttempt<ResultDocument, JobMessage>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export class ReportingWorker {
  readonly #options: ReportingWorkerOptions;
  readonly #stopping = new AbortController();
  readonly id: string;
  #worker: Worker | undefined;

  private constructor(options: ReportingWorkerOptions, id: string) {
    this.#options = options;
    this.id = id;
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: ReportingWorkerOptions): Promise<ReportingWorker> {
    const reporting = new ReportingWorker(options, randomUUID());
    const { connection, declaration, kind, concurrency, prefetchCount, onEvent } = options;
    reporting.#worker = await createWorker({
      connection,
      topology: jobTopology(declaration),
      queue: kind.kind,
      id: reporting.id,
      concurrency,
      prefetch: prefetchCount,
      decode: ({ body }) =>
        decodeJob(
          body as Buffer,
          (name) => (name === kind.kind ? ANY_PAYLOAD : undefined),
          // The key of signatures is in the database.
          () => false,
        ),
      handler: (message) => {
        const job = message.body as JobMessage;
        return runAttempt(options.work, {
          id: job.id,
          kind: job.kind,
          payload: job.payload,
          attempt: message.attempt.number,
          get signal() {
            return message.signal;
          },
        });
      },
      onError: (error) => outcomeOfThrow(kind, error),
      settle: (end) => reporting.#settle(end as End),
      hooks: {
        onEvent: (event) => {
          tellWorkerEvent(event, kind.queue, onEvent);
        },
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
    void this.#worker?.resume();
  }

  /** Stops consuming, finishes and reports the running attempts, and returns the other messages to the queue. */
  async close(drainMs: number): Promise<void> {
    await this.#worker?.stop({ deadline: drainMs });
    this.#stopping.abort();
  }

  /** @returns what takes the place of the outcome; never, where the message is delivered again. */
  async #settle(end: End): Promise<Outcome<never> | undefined> {
    const { report, onEvent } = this.#options;
    const { signal } = this.#stopping;
    const told = reportOf(end, this.id);
    let pauseMs = FIRST_PAUSE_MS;
    let isFailing = false;
    // A message whose connection was lost is delivered again, and its next attempt reports for itself.
    while (!signal.aborted && end.isCurrent) {
      try {
        await report(told);
        return undefined;
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (error instanceof JobRefused && error.code === 'REPORT_INVALID') {
          onEvent({ type: 'stageFailed', stage: 'report', error });
          return reject(error);
        }
        if (!isFailing) onEvent({ type: 'stageFailed', stage: 'report', error });
        isFailing = true;
        await pause(pauseMs, undefined, { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    // It went back to its queue, so what is answered has no effect.
    return undefined;
  }
}
