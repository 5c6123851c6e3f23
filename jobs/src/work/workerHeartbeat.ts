/**
 * The heartbeat of a worker: which messages it has in hand, and which attempts run for long, so that none counts as lost. Its
 * answer says whether somebody told the worker to take no more.
 */
import pTimeout from 'p-timeout';
import type { ReceivedJob } from '../record/jobMessage.ts';
import type { JobStores } from '../store/jobStores.ts';
import { HEARTBEAT_MS, type WorkerStatus } from '../store/workerStore.ts';

export interface WorkerHeartbeatOptions {
  readonly stores: Pick<JobStores, 'jobs' | 'workers'>;
  /** Id of the worker. */
  readonly id: string;
  readonly status: () => WorkerStatus;
  /** @returns the jobs whose messages are delivered and not settled, prefetched ones included. */
  readonly unsettledIds: () => readonly string[];
  /** Called with the answer of each heartbeat: whether the worker is to take no more. */
  readonly onDrain: (isDrained: boolean) => void;
  /** Time between two heartbeats in milliseconds; default `HEARTBEAT_MS`. */
  readonly intervalMs?: number;
}

/** Attempts that become long within this time are marked as running by one statement. */
const COLLECT_MS = 50;
/** A stop does not wait longer for the database; the record of a worker that does not answer any more is ignored after a while. */
const REMOVE_LIMIT_MS = 1_000;

/** Errors are ignored, because the next heartbeat writes everything again. */
export class WorkerHeartbeat {
  readonly #options: WorkerHeartbeatOptions;
  /** Messages whose attempts have run for longer than a second. */
  readonly #long = new Set<ReceivedJob>();
  /** Those of them whose records do not say so yet. */
  #unmarked: ReceivedJob[] = [];
  #markTimer: NodeJS.Timeout | undefined;
  #beatTimer: NodeJS.Timeout | undefined;
  #beating: Promise<unknown> = Promise.resolve();

  constructor(options: WorkerHeartbeatOptions) {
    this.#options = options;
  }

  /** Writes the first heartbeat, and the next ones until `stop`. */
  async start(): Promise<void> {
    let isBeating = false;
    this.#beatTimer = setInterval(() => {
      // A database that is slow must not get a second heartbeat before it has stored the first.
      if (isBeating) return;
      isBeating = true;
      this.#beating = this.#beat().finally(() => (isBeating = false));
    }, this.#options.intervalMs ?? HEARTBEAT_MS);
    await this.#beat();
  }

  /** The attempt has run for a second: marks its job as running, and renews this with each heartbeat. */
  addLong(message: ReceivedJob): void {
    this.#long.add(message);
    this.#unmarked.push(message);
    this.#markTimer ??= setTimeout(() => {
      this.#markTimer = undefined;
      const unmarked = this.#unmarked.filter((candidate) => this.#long.has(candidate));
      this.#unmarked = [];
      void this.#renew(unmarked);
    }, COLLECT_MS);
  }

  /** To be called for each attempt that ended. */
  end(message: ReceivedJob): void {
    if (this.#long.size > 0) this.#long.delete(message);
  }

  /** Removes the record, after the messages of the worker were settled or returned. */
  async stop(): Promise<void> {
    clearInterval(this.#beatTimer);
    clearTimeout(this.#markTimer);
    const { stores, id } = this.#options;
    const removed = this.#beating.then(() => stores.workers.remove(id));
    await pTimeout(removed, { milliseconds: REMOVE_LIMIT_MS }).catch(() => undefined);
  }

  async #beat(): Promise<void> {
    await Promise.all([this.#tell(), this.#renew([...this.#long])]);
  }

  async #tell(): Promise<void> {
    const { stores, id, status, unsettledIds, onDrain } = this.#options;
    try {
      const { drain } = await stores.workers.beat(id, status(), unsettledIds());
      onDrain(drain !== undefined);
    } catch {
      // What was told last stays in force until the database answers.
    }
  }

  /** An unsigned message may name any job, so the record changes only where its payload is the same. */
  async #renew(messages: readonly ReceivedJob[]): Promise<void> {
    const { jobs } = this.#options.stores;
    const signed = messages.filter(({ signedRunId }) => signedRunId !== undefined);
    const unsigned = messages.filter(({ signedRunId }) => signedRunId === undefined);
    try {
      if (signed.length > 0) await jobs.renewRunning(signed.map(({ id }) => id));
      if (unsigned.length > 0)
        await jobs.change(
          'run',
          unsigned.map(({ id, generation, payload }) => ({ id, generation, payload })),
        );
    } catch {
      // The next heartbeat renews them.
    }
  }
}
