/** Makes jobs of requests: completes and checks each one, and stores the good ones with a few statements. The relay publishes them. */
import { createHash } from 'node:crypto';
import { createWod, isCalendarDay, wodId } from '@fit/contract';
import {
  asJson,
  type EnqueuedJob,
  type Enqueuer,
  JobRefused,
  type NewJob,
  requestedJob,
  timeKey,
} from '@fit/jobs';
import { FORBIDDEN, invalidInput, Problem } from '@fit/service';
import type { Declaration } from '@fit/topology';
import { USER_NOT_FOUND } from '../routes/userRoutes.ts';
import type { User, UserStore } from '../store/userStore.ts';
import type { JobRequest } from './jobRequest.ts';

export interface JobSubmitterParts {
  readonly enqueuer: Pick<Enqueuer, 'add'>;
  readonly users: Pick<UserStore, 'findAll'>;
  readonly declaration: Declaration;
  /** @returns the day of a workout that names none, as YYYY-MM-DD. */
  readonly today: () => string;
}

/** A request that agrees with `JobRequestBody`. */
export interface PlacedRequest {
  readonly request: JobRequest;
  /** Where it is in the body, for faults, such as `body.jobs.3`. */
  readonly place: string;
}

export interface Submission {
  /** The user who submits, to whom the jobs belong; undefined for operators and services, who submit for anybody. */
  readonly owner: string | undefined;
  /** Undefined: the request had no Idempotency-Key. */
  readonly keyHash: string | undefined;
  readonly traceparent: string | undefined;
}

/** A workout that is requested. */
interface WantedWod {
  readonly userId: string;
  readonly date: string;
}

export class JobSubmitter {
  readonly #parts: JobSubmitterParts;

  constructor(parts: JobSubmitterParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when every good request is stored; from then on nothing loses its job. A workout that was requested before is the job
   * of that request.
   * @returns for each request its job, or why it is refused.
   * @throws StoreUnavailable; repeating with the same Idempotency-Key creates no job twice.
   */
  async submit(
    requests: readonly PlacedRequest[],
    submission: Submission,
  ): Promise<(EnqueuedJob | Problem)[]> {
    const wanted = requests.map((placed) => problemOf(() => this.#wantedWod(placed, submission)));
    const userIds = wanted.flatMap((wod) =>
      wod === undefined || wod instanceof Problem ? [] : wod.userId,
    );
    const found =
      userIds.length === 0 ? [] : await this.#parts.users.findAll([...new Set(userIds)]);
    const users = new Map(found.map((user) => [user.id, user]));
    return await Promise.all(
      requests.map(async (placed, index) => {
        const wod = wanted[index];
        if (wod instanceof Problem) return wod;
        const job = problemOf(() =>
          this.#jobOf(placed, { ...submission, index, wod, user: users.get(wod?.userId ?? '') }),
        );
        return job instanceof Problem ? job : await this.#add(job, placed);
      }),
    );
  }

  /** @returns undefined for a job of another kind. @throws Problem */
  #wantedWod({ request, place }: PlacedRequest, { owner }: Submission): WantedWod | undefined {
    if (request.type !== createWod.name) return undefined;
    const { userId = owner, date = this.#parts.today() } = request.payload as Partial<WantedWod>;
    const at = `${place}.payload`;
    if (userId === undefined)
      throw invalidInput(`${at}.userId`, 'is missing: whose workout is it?');
    if (!isCalendarDay(date)) throw invalidInput(`${at}.date`, `${date} is not a calendar day`);
    if (owner === undefined || userId === owner) return { userId, date };
    throw new Problem({
      ...FORBIDDEN,
      title: `Members request their own workouts; ${at}.userId is another user`,
    });
  }

  /** @throws Problem */
  #jobOf(
    { request: { type: kind, payload, priority }, place }: PlacedRequest,
    {
      index,
      owner,
      keyHash,
      traceparent,
      wod,
      user,
    }: Submission & { index: number; wod: WantedWod | undefined; user: User | undefined },
  ): NewJob {
    const declared = this.#parts.declaration.kinds.find((each) => each.kind === kind);
    if (declared === undefined) throw invalidInput(`${place}.type`, `'${kind}' is not declared`);
    if (wod !== undefined && user === undefined)
      throw new Problem({ ...USER_NOT_FOUND, title: `There is no user ${wod.userId}` });
    const id = keyHash === undefined ? timeKey() : hashKey(keyHash, index);
    try {
      return requestedJob(declared, {
        key:
          wod !== undefined
            ? wodId(wod.userId, wod.date)
            : owner === undefined
              ? id
              : `${owner}:${id}`,
        payload: asJson(wod === undefined || user === undefined ? payload : payloadOf(wod, user)),
        priority,
        ...(owner === undefined ? {} : { owner }),
        ...(traceparent === undefined ? {} : { trace: { traceparent } }),
      });
    } catch (error) {
      throw refusalOf(error, place);
    }
  }

  async #add(job: NewJob, { place }: PlacedRequest): Promise<EnqueuedJob | Problem> {
    try {
      return await this.#parts.enqueuer.add(job);
    } catch (error) {
      const refusal = refusalOf(error, place);
      if (refusal instanceof Problem) return refusal;
      throw refusal;
    }
  }
}

function payloadOf({ userId, date }: WantedWod, user: User): object {
  const { level, equipment, exclusions = [] } = user;
  return { userId, date, level, equipment, exclusions };
}

/** The same for each repetition of a request, so that one whose reply was lost creates nothing twice. */
function hashKey(keyHash: string, index: number): string {
  return createHash('sha256').update(`${keyHash}:${index}`).digest('hex').slice(0, 32);
}

/** @returns the error, as a problem of the request where it is one. */
function refusalOf(error: unknown, place: string): unknown {
  return error instanceof JobRefused
    ? invalidInput(`${place}.${error.field ?? 'payload'}`, error.message)
    : error;
}

/** @returns the problem where `make` throws one. */
function problemOf<Made>(make: () => Made): Made | Problem {
  try {
    return make();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
