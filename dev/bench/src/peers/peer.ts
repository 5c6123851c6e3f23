/** What a job system must offer to be compared with FIT, and the settings of each. */
import type { User } from '@fit/workout';

/** Everything that a workout depends on, as FIT's payload has it. */
export interface WorkoutPayload extends User {
  readonly userId: string;
  readonly date: string;
}

/** Where a peer keeps its jobs. */
export interface PeerPlace {
  /** A database of its own on the stack's PostgreSQL. */
  readonly database: { readonly host: string; readonly user: string; readonly database: string };
  readonly redisSocket: string;
}

export interface Producer {
  /** Resolves when all jobs are stored durably. */
  enqueue(payloads: readonly WorkoutPayload[]): Promise<void>;
  close(): Promise<void>;
}

/** What a job does: generate a workout and store it. Resolves when it is stored. */
export interface Work {
  one(payload: WorkoutPayload): Promise<void>;
  many(payloads: readonly WorkoutPayload[]): Promise<void>;
}

export interface Peer {
  /** Name and version. */
  readonly name: string;
  /** Creates what the peer needs in its database, once before the other two. */
  prepare(place: PeerPlace): Promise<void>;
  openProducer(place: PeerPlace): Promise<Producer>;
  /**
   * @param isCollected whether `work.one` waits for a batch of workouts, so that many jobs should be in progress at a time.
   * @returns a function that ends the worker.
   */
  openWorker(place: PeerPlace, work: Work, isCollected: boolean): Promise<() => Promise<void>>;
}

export const JOB_KIND = 'createWod';
