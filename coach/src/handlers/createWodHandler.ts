/** The handler of `createWod` jobs: makes one workout. A retry makes the same workout, because only user and date decide it. */
import { setTimeout as pause } from 'node:timers/promises';
import { CreateWodPayload, userIdOf, type WodDocument, wodId } from '@fit/contract';
import { compilePayload, type Handler, type Job } from '@fit/jobs';
import { discard, type Outcome } from '@fit/topology';
import { type CompactWorkout, generateCompactWorkout } from '@fit/workout';
import type { Static } from 'typebox';
import type { WodStore } from '../store/wodStore.ts';

type Payload = Static<typeof CreateWodPayload>;

/** Thrown on purpose by COACH_FAILURE_RATE, to demonstrate retries and dead letters. */
export class SimulatedFailure extends Error {
  override readonly name = 'SimulatedFailure';
}

export interface CreateWodOptions {
  readonly wods: Pick<WodStore, 'storeAll' | 'findStored'>;
  /** @returns the share of attempts that fail on purpose, 0 to 1; asked at each attempt, because it can be changed at run time. */
  readonly failureRate: () => number;
  /** Users who were deleted: their jobs are not run; default: none. */
  readonly erased?: { readonly isEmpty: boolean; has(userId: string): boolean };
  /** Milliseconds that each attempt waits on purpose, to demonstrate slow jobs; default 0. */
  readonly workMs?: number;
}

const NONE_ERASED = { isEmpty: true, has: () => false };

/** The generator takes under 0.1 ms, so it runs in the event loop; a worker thread would cost more than that. */
export function createWodHandler(options: CreateWodOptions): Handler<Payload, WodDocument> {
  const { workMs = 0, erased = NONE_ERASED } = options;
  const run = (job: Job<Payload>): Outcome<WodDocument> => {
    if (!erased.isEmpty && erased.has(job.payload.userId)) return discard('the user was deleted');
    const failureRate = options.failureRate();
    if (Math.random() < failureRate)
      throw new SimulatedFailure(`COACH_FAILURE_RATE is ${failureRate}`);
    return generateWod(job);
  };
  const slowly = async (job: Job<Payload>): Promise<Outcome<WodDocument>> => {
    await pause(workMs, undefined, { signal: job.signal });
    return run(job);
  };
  return {
    payload: compilePayload(CreateWodPayload),
    // A result that is returned at once needs neither a promise nor timers for the deadline.
    run: workMs > 0 ? slowly : run,
    store: (wods) =>
      options.wods.storeAll(
        // A user may be deleted during the attempt.
        erased.isEmpty ? wods : wods.filter((wod) => !erased.has(userIdOf(wod))),
      ),
    findStored: (jobs) =>
      options.wods.findStored(jobs.map(({ id, payload }) => ({ id, ...payload }))),
  };
}

function generateWod(job: Job<Payload>): Outcome<WodDocument> {
  const { userId, date } = job.payload;
  let workout: CompactWorkout;
  try {
    workout = generateCompactWorkout(job.payload, date);
  } catch (error) {
    // A date that is not a calendar day fails at every attempt, so no retry is requested.
    if (error instanceof RangeError) return { type: 'reject', error };
    throw error;
  }
  return { type: 'done', effect: { _id: wodId(userId, date), storedAt: new Date(), ...workout } };
}
