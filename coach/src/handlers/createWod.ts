/** Makes one workout. Deterministic per (user, date), so a retry makes the same one. */
import { setTimeout as pause } from 'node:timers/promises';
import { CreateWodPayload, type WodDocument, wodId } from '@fit/contract';
import { compilePayload, type Handler, type Job } from '@fit/jobs';
import type { Outcome } from '@fit/topology';
import type { Static } from 'typebox';
import type { WodStore } from '../store/wodStore.ts';
import { generateWorkout, type Workout } from '../workout/index.ts';

type Payload = Static<typeof CreateWodPayload>;

/** Thrown on purpose, to show what retries and dead letters do. */
export class SimulatedFailure extends Error {
  override readonly name = 'SimulatedFailure';
}

export interface CreateWodOptions {
  readonly wods: Pick<WodStore, 'storeAll'>;
  /** Share of attempts that fail on purpose, 0 to 1. */
  readonly failureRate: number;
  /** What each attempt takes beside its real work, in milliseconds, to show what slow jobs do; default 0. */
  readonly workMs?: number;
}

/** The generator takes under 0.1 ms, so it runs here and not in a worker thread, whose hand-over costs more. */
export function createWodHandler(options: CreateWodOptions): Handler<Payload, WodDocument> {
  const { workMs = 0 } = options;
  return {
    payload: compilePayload(CreateWodPayload),
    run: async (job) => {
      if (workMs > 0) await pause(workMs, undefined, { signal: job.signal });
      if (Math.random() < options.failureRate)
        throw new SimulatedFailure(`COACH_FAILURE_RATE is ${options.failureRate}`);
      return make(job);
    },
    store: (wods) => options.wods.storeAll(wods),
  };
}

function make(job: Job<Payload>): Outcome<WodDocument> {
  const { userId, date } = job.payload;
  const workout = generate(job.payload);
  // A day that is in no calendar will not be in one at the next attempt either.
  if (workout instanceof RangeError) return { type: 'reject', error: workout };
  const document = { ...workout, _id: wodId(userId, date), jobId: job.id, storedAt: new Date() };
  return { type: 'done', effect: document as unknown as WodDocument };
}

function generate(payload: Payload): Workout | RangeError {
  try {
    return generateWorkout(payload, payload.date);
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}
