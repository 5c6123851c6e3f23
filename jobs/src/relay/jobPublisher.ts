/** Makes the messages of jobs and publishes them at the pace of the workers. */
import {
  type Connection,
  createPublisher,
  type Declaration,
  type KindDeclaration,
  type PublishError,
  type Publisher,
  type PublishOptions,
  publishTarget,
  type Topology,
} from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { JobListener } from '../jobEvent.ts';
import { encodeJob, PUBLISHED_AT_HEADER } from '../record/jobMessage.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import { jobTopology } from '../record/jobTopology.ts';
import { type MessageSigner, SIGNATURE_HEADER } from '../record/messageSignature.ts';
import type { DatabaseClock } from '../store/databaseClock.ts';
import type { JobTracer } from '../trace/jobTracer.ts';
import { parseTraceparent } from '../trace/traceparent.ts';
import { DepthGate } from './depthGate.ts';

/** Messages that wait for their confirms at a time: two batches, so that the broker never waits for the next one. */
const WINDOW = 2_000;

/** What a relay publishes on: bodies that are encoded and signed already. */
export type RelayPublisher = Pick<
  Publisher<Topology>,
  'close' | 'isReady' | 'isUp' | 'send' | 'topologyFault' | 'unconfirmed'
>;

/** @throws TopologyError if the broker cannot carry the declaration. */
export async function openRelayPublisher(
  connection: Connection,
  declaration: Declaration,
): Promise<RelayPublisher> {
  return await createPublisher({
    connection,
    topology: jobTopology(declaration),
    window: WINDOW,
    // A message that is sent again while its broker only hangs arrives twice. The heartbeat of the connection decides.
    timeout: Infinity,
    // What waited for a connection would be sent after another relay has taken its batch.
    whenDisconnected: 'fail',
    encode: (body) => body as Buffer,
  });
}

export interface JobPublisherOptions {
  readonly declaration: Declaration;
  readonly publisher: Pick<RelayPublisher, 'isReady' | 'send'>;
  readonly signer: MessageSigner;
  readonly clock: Pick<DatabaseClock, 'now'>;
  /** @returns the number of ready messages in a queue, from the broker. @throws where the broker does not answer. */
  readonly readyCount: (queue: string) => Promise<number>;
  /** Seconds of work that a main queue should hold, asked again and again; default 5. */
  readonly targetSeconds?: (() => number) | undefined;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

/** `stopped`: nothing was tried, because the relay stops or lost the batch. */
export type DeferralReason = Exclude<PublishResult, 'confirmed' | 'unsendable'> | 'stopped';

/** What became of the jobs of one batch. */
export interface PublishedJobs {
  readonly confirmed: readonly JobRecord[];
  /** Jobs to be published again, by the reason. */
  readonly deferred: ReadonlyMap<DeferralReason, JobRecord[]>;
  /** Jobs that no message can be made of, each with the reason. Publishing them again is useless. */
  readonly impossible: readonly { readonly job: JobRecord; readonly error: Error }[];
}

export class JobPublisher {
  readonly #options: JobPublisherOptions;
  readonly #gates: ReadonlyMap<string, DepthGate>;

  constructor(options: JobPublisherOptions) {
    this.#options = options;
    const { publisher, readyCount } = options;
    this.#gates = new Map(
      options.declaration.kinds.map((kind) => [
        kind.kind,
        new DepthGate({
          kind,
          readyCount,
          isReady: () => publisher.isReady,
          targetSeconds: options.targetSeconds,
        }),
      ]),
    );
  }

  /** Ends every wait for room in a queue. */
  stop(): void {
    for (const gate of this.#gates.values()) gate.stop();
  }

  /**
   * Publishes the jobs of one kind, as many at a time as its queue has room for. Returns when the broker has answered for
   * each of them. Never rejects.
   * @param isHeld false: the batch belongs to another relay now, so nothing more is published.
   */
  async publish(
    kind: KindDeclaration,
    jobs: readonly JobRecord[],
    isHeld: () => boolean,
  ): Promise<PublishedJobs> {
    const gate = this.#gates.get(kind.kind);
    const impossible: { job: JobRecord; error: Error }[] = [];
    const answers: (PublishResult | 'impossible' | undefined)[] = [];
    const unknownPriorities = new Map<string, number>();
    /** Why no message could be made in this process of a job that stays pending. */
    let misfit: PublishError | undefined;
    const missing = new MissingAnswers();
    while (answers.length < jobs.length && isHeld()) {
      const from = answers.length;
      const count = await roomFor(jobs, from, { gate, isHeld });
      if (count === 0) break;
      if (!isHeld()) {
        for (let passed = 0; passed < count; passed += 1) gate?.end(false);
        break;
      }
      const publishedAt = String(this.#options.clock.now().getTime());
      answers.length += count;
      missing.expect(count);
      for (const [offset, job] of jobs.slice(from, from + count).entries()) {
        const onResult = (result: PublishResult | 'impossible', error?: PublishError) => {
          if (result === 'unsendable' && error !== undefined) impossible.push({ job, error });
          else if (error?.code === 'INVALID') misfit ??= error;
          answers[from + offset] = result;
          gate?.end(result === 'confirmed');
          missing.end();
        };
        const priority = knownPriority(kind, job);
        if (job.priority !== priority) {
          const name = String(job.priority);
          unknownPriorities.set(name, (unknownPriorities.get(name) ?? 0) + 1);
        }
        try {
          this.#publishOne(kind, job, { publishedAt, priority, onResult });
        } catch (thrown) {
          // One job must not keep its neighbours from being published.
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          impossible.push({ job, error });
          onResult('impossible');
        }
      }
    }
    await missing.none();
    const confirmed: JobRecord[] = [];
    const deferred = new Map<DeferralReason, JobRecord[]>();
    for (const [index, job] of jobs.entries()) {
      const answer = answers[index] ?? 'stopped';
      if (answer === 'confirmed') confirmed.push(job);
      else if (answer !== 'impossible' && answer !== 'unsendable') {
        const group = deferred.get(answer);
        if (group === undefined) deferred.set(answer, [job]);
        else group.push(job);
      }
    }
    this.#report(kind, confirmed, deferred);
    if (misfit !== undefined)
      this.#options.onEvent({ type: 'stageFailed', stage: 'relay', error: misfit });
    for (const [priority, count] of unknownPriorities)
      this.#options.onEvent({ type: 'priorityUnknown', kind: kind.kind, priority, count });
    return { confirmed, deferred, impossible };
  }

  /** @throws Error where the job cannot be encoded. */
  #publishOne(
    kind: KindDeclaration,
    job: JobRecord,
    {
      publishedAt,
      priority,
      onResult,
    }: {
      publishedAt: string;
      priority: string | undefined;
      onResult: (result: PublishResult, error?: PublishError) => void;
    },
  ): void {
    const { declaration, tracer, publisher, signer } = this.#options;
    const trace = tracer?.publish(job, publishTarget(declaration, kind, job.attemptCount));
    const traceparent = trace?.traceparent ?? storedTraceparent(job);
    const body = encodeJob(job);
    const headers: Record<string, string> = {
      [PUBLISHED_AT_HEADER]: publishedAt,
      [SIGNATURE_HEADER]: signer.sign(body),
    };
    if (traceparent !== undefined) headers['traceparent'] = traceparent;
    const options: PublishOptions<Topology> = {
      id: job._id,
      headers,
      ...(priority === undefined ? {} : { priority }),
      ...(job.attemptCount > 0 ? { to: { queue: kind.kind, spent: job.attemptCount } } : {}),
    };
    publisher.send(kind.key, body, options, (error) => {
      const result = resultOf(error);
      trace?.end(result);
      onResult(result, error);
    });
  }

  #report(
    { kind, queue }: KindDeclaration,
    confirmed: readonly JobRecord[],
    deferred: PublishedJobs['deferred'],
  ): void {
    const { onEvent } = this.#options;
    if (confirmed.length > 0) {
      const count = confirmed.length;
      onEvent({ type: 'published', queue, result: 'confirmed', count, jobs: confirmed });
      const replayedCount = confirmed.filter((job) => isReplayed(job) && !job.attemptCount).length;
      if (replayedCount > 0) onEvent({ type: 'replayed', kind, count: replayedCount });
    }
    for (const [result, jobs] of deferred)
      if (result !== 'stopped')
        onEvent({ type: 'published', queue, result, count: jobs.length, jobs });
  }
}

/**
 * Levels may be renamed or removed after a job was stored, and a rolling deployment has processes of both releases.
 * @returns the level of the job; undefined, which is the default one, where its kind declares no such level.
 */
function knownPriority({ priorities }: KindDeclaration, { priority }: JobRecord) {
  return priority !== undefined && priorities.includes(priority) ? priority : undefined;
}

function resultOf(error: PublishError | undefined): PublishResult {
  switch (error?.code) {
    case undefined:
      return 'confirmed';
    case 'QUEUE_FULL':
      return 'nacked';
    case 'UNROUTABLE':
      return 'returned';
    case 'INVALID':
      // Without an exchange no message was made: this process does not know a name, which another release may know.
      return error.exchange === undefined ? 'unknown' : 'unsendable';
    case 'TIMEOUT':
    case 'CONNECTION_LOST':
    case 'CLOSED':
      return 'unknown';
  }
}

/**
 * The room that the relay leaves in the queue is for jobs that may wait, so urgent ones do not wait for it.
 * @returns how many of the jobs from a position on may be published now: all of them urgent, or none.
 */
async function roomFor(
  jobs: readonly JobRecord[],
  from: number,
  { gate, isHeld }: { readonly gate: DepthGate | undefined; readonly isHeld: () => boolean },
): Promise<number> {
  const isUrgent = jobs[from]?.isUrgent === true;
  const others = jobs.findIndex(
    (job, index) => index > from && (job.isUrgent === true) !== isUrgent,
  );
  const count = (others < 0 ? jobs.length : others) - from;
  if (!isUrgent) return (await gate?.take(count, isHeld)) ?? 0;
  gate?.pass(count);
  return count;
}

/** Counts answers that are missing. */
class MissingAnswers {
  #count = 0;
  #onNone: (() => void) | undefined;

  expect(count: number): void {
    this.#count += count;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#onNone?.();
  }

  /** Waits until none is missing. To be called after the last `expect`. */
  async none(): Promise<void> {
    if (this.#count > 0)
      await new Promise<void>((resolve) => {
        this.#onNone = resolve;
      });
  }
}

/** @returns the trace that the record carries. The message gets it even where this process has no tracing of its own. */
function storedTraceparent({ traceparent }: JobRecord): string | undefined {
  return parseTraceparent(traceparent) === undefined ? undefined : traceparent;
}
