/**
 * Starts a run: stores its record and hands it to the relay of this process. The jobs are recorded afterwards, so the time of
 * a request does not grow with the number of users.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { NewRun, RunRecord } from '@fit/jobs';
import type { RunStore } from '@fit/jobs/store';
import { IDEMPOTENCY_KEY_REUSED, Problem } from '@fit/service';
import type { WodRequest } from './wodRequest.ts';

export interface RunRequest {
  /** YYYY-MM-DD, as it was sent. Undefined: the day of the first request with this key. */
  readonly date: string | undefined;
  /** Undefined: every user. */
  readonly userIds: readonly string[] | undefined;
  /** The run whose missing jobs the new run creates; undefined: none. */
  readonly rerunOf?: string | undefined;
  /** Hash of the Idempotency-Key with the account that sent it; undefined: the request had none. */
  readonly keyHash: string | undefined;
  /** Trace context of the request; undefined while tracing is off. */
  readonly traceparent: string | undefined;
}

/** The relay of this process, as far as a new run needs it. */
export interface RunExpander {
  /** Names this process in the leases of runs. */
  readonly owner: string;
  /** Expands a run that this process has just stored and holds. */
  begin(run: RunRecord): void;
}

export interface RunStarterParts {
  readonly runs: Pick<RunStore, 'find' | 'insertIfAbsent' | 'release'>;
  /** @returns undefined before the relay is started and while it stops; another relay then expands the run. */
  readonly expander: () => RunExpander | undefined;
  /** @returns the day of a request that names none, as YYYY-MM-DD. */
  readonly today: () => string;
}

export class RunStarter {
  readonly #parts: RunStarterParts;
  /** Runs that are being stored, by id: equal requests at once share one statement, and only one of them begins the run. */
  readonly #starting = new Map<string, Promise<RunRecord>>();

  constructor(parts: RunStarterParts) {
    this.#parts = parts;
  }

  /**
   * Repeating a request is safe after a failure at any point: the id of the run comes from the hash of its key, and the id of each job
   * from user and date.
   * @returns the stored run: a new one, or the one of an earlier request with this key.
   * @throws StoreUnavailable; the run may be stored nevertheless, and is then expanded once its lease has ended.
   * @throws Problem 422 `idempotency_key_reused` if another request had the same key.
   */
  async start(request: RunRequest): Promise<RunRecord> {
    const id = idOf(request);
    const run = await (this.#starting.get(id) ?? this.#start(id, request));
    if (run.requestHash === hashOf(request)) return run;
    throw new Problem({
      ...IDEMPOTENCY_KEY_REUSED,
      title: 'Another request had this Idempotency-Key before',
    });
  }

  #start(id: string, request: RunRequest): Promise<RunRecord> {
    const starting = this.#store(id, request).finally(() => {
      this.#starting.delete(id);
    });
    this.#starting.set(id, starting);
    return starting;
  }

  async #store(id: string, request: RunRequest): Promise<RunRecord> {
    const { runs, expander, today } = this.#parts;
    if (request.keyHash !== undefined) {
      const existing = await runs.find(id);
      if (existing !== undefined) return existing;
    }
    const relay = expander();
    const owner = relay?.owner ?? '';
    const run = await runs.insertIfAbsent(newRun(id, request, today()), owner);
    // Another process may have stored the run of this key meanwhile; it then expands the run.
    if (run.owner !== owner || run.fence !== 1) return run;
    if (relay === undefined) await runs.release(run);
    else relay.begin(run);
    return run;
  }
}

function newRun(id: string, request: RunRequest, today: string): NewRun {
  const { date = today, userIds, rerunOf, traceparent } = request;
  const wodRequest: WodRequest = { date, isForEveryone: userIds === undefined };
  return {
    _id: id,
    request: wodRequest,
    requestHash: hashOf(request),
    ...(userIds === undefined ? {} : { items: userIds.toSorted() }),
    ...(rerunOf === undefined ? {} : { rerunOf }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function idOf({ keyHash }: RunRequest): string {
  // The id is in each job and message, so it is short: 80 random bits, or 96 bits of the key's hash.
  return keyHash === undefined ? randomBytes(10).toString('hex') : hash(keyHash).slice(0, 24);
}

/** A missing date stays missing, so a request that is repeated after midnight is the same request. */
function hashOf({ date, userIds, rerunOf }: RunRequest): string {
  const users = userIds?.toSorted() ?? null;
  return hash(JSON.stringify([date ?? null, users, ...(rerunOf === undefined ? [] : [rerunOf])]));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
