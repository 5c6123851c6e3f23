/**
 * The jobs of each user. The key of a job is that of its user and an id that grows with time, so the jobs of a user are
 * neighbours in the database, newest last, and nobody can read those of others.
 */
import { randomBytes } from 'node:crypto';
import type { JobStatus } from '@fit/jobs';
import type { Priority, Queue } from './queue.ts';

export interface ShownJob {
  readonly id: string;
  readonly type: string;
  readonly status: 'QUEUED' | 'PROCESSING' | 'COMPLETED' | 'FAILED';
  readonly result: unknown;
  readonly error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

type StoredJob = NonNullable<Awaited<ReturnType<Queue['get']>>>;

const STATUSES: Readonly<Record<JobStatus, ShownJob['status']>> = {
  pending: 'QUEUED',
  queued: 'QUEUED',
  // A further attempt follows.
  waiting: 'QUEUED',
  running: 'PROCESSING',
  done: 'COMPLETED',
  dead: 'FAILED',
  cancelled: 'FAILED',
};

export class UserJobs {
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  async enqueue(
    user: string,
    { type, payload, priority }: { type: string; payload: unknown; priority: Priority },
  ): Promise<ShownJob> {
    const key = keyOf(user, newId());
    return shown(await this.#queue.enqueue('task', { type, payload }, { key, priority }));
  }

  async find(user: string, id: string): Promise<ShownJob | undefined> {
    const job = await this.#queue.get(`task:${keyOf(user, id)}`);
    return job === undefined ? undefined : shown(job);
  }

  /** Newest first. @param before id of a job: only jobs older than it. */
  async list(
    user: string,
    { limit, before }: { readonly limit: number; readonly before: string | undefined },
  ): Promise<ShownJob[]> {
    const jobs: ShownJob[] = [];
    const found = this.#queue.list({
      kind: 'task',
      keyPrefix: keyOf(user, ''),
      isDescending: true,
      ...(before === undefined ? {} : { after: { key: keyOf(user, before) } }),
    });
    for await (const job of found) {
      jobs.push(shown(job));
      if (jobs.length === limit) break;
    }
    return jobs;
  }
}

function shown(job: StoredJob): ShownJob {
  const status = STATUSES[job.state];
  return {
    id: idOf(job),
    type: job.payload.type,
    status,
    result: status === 'COMPLETED' ? (job.result ?? null) : null,
    error: job.error ?? null,
    created_at: job.createdAt.toISOString(),
    updated_at: job.updatedAt.toISOString(),
  };
}

function keyOf(user: string, id: string): string {
  return `${user}/${id}`;
}

function idOf({ key }: StoredJob): string {
  return key.slice(key.indexOf('/') + 1);
}

/** @returns a UUID of version 7, which begins with the time in milliseconds. */
function newId(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
