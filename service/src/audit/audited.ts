/**
 * Keeps an entry of each request that changes something. The entry is stored before the change and completed after it, so no change is
 * without its entry when the process ends in between: the entry then stays `begun`, which says that the change may have happened.
 */
import { isDeepStrictEqual } from 'node:util';
import { StoreUnavailable } from '@fit/jobs';
import type { Caller } from '../access/access.ts';
import { answerInTime } from '../route/answerInTime.ts';
import type { Reply, Route } from '../route/defineRoute.ts';
import { Problem } from '../route/problem.ts';
import { STORE_UNAVAILABLE } from '../route/sharedProblems.ts';
import type { AuditedRequest, AuditTarget } from './routeAudit.ts';

/** An entry as it is stored before the change. */
export interface BegunEntry {
  readonly action: string;
  readonly caller: Caller;
  readonly target: AuditTarget;
  readonly reason: string | undefined;
  readonly requestId: string;
}

export interface EntryEnd {
  /** Undefined: the target stays as it was stored before the change. */
  readonly target: AuditTarget | undefined;
  /** Of the answer. */
  readonly status: number;
  /** Code of the problem that was answered. */
  readonly code: string | undefined;
}

/** Stores entries; there is no way to change one that is completed, or to delete one. */
export interface AuditLog {
  /** @returns the id of the entry. @throws StoreUnavailable */
  begin(entry: BegunEntry): Promise<string>;
  /** @throws StoreUnavailable; the entry then stays begun. */
  complete(id: string, end: EntryEnd): Promise<void>;
}

export interface AuditedParts {
  readonly log: AuditLog | undefined;
  readonly caller: Caller | undefined;
  readonly requestId: string;
  readonly request: AuditedRequest;
}

/**
 * Carries out a request and keeps its entry, if its route has one. That the entry cannot be completed is no failure of the request,
 * because its change has happened.
 * @throws Problem 503 `store_unavailable` if the entry cannot be stored; nothing was changed then.
 */
export async function audited(
  { audit, statuses }: Route,
  { log, caller, requestId, request }: AuditedParts,
  carryOut: () => Promise<Reply<unknown>>,
): Promise<Reply<unknown>> {
  if (audit === undefined || 'none' in audit) return await carryOut();
  const { action, target = () => ({}) } = audit;
  if (log === undefined || caller === undefined)
    throw new Error(`${action} needs an audit entry, but the application keeps none`);
  const { reason } = request.body as { readonly reason?: unknown };
  const before = target(request, undefined);
  const id = await answerInTime(
    () =>
      log.begin({
        action,
        caller,
        target: before,
        reason: typeof reason === 'string' ? reason : undefined,
        requestId,
      }),
    {
      title: 'The database does not answer, so the request was not carried out',
    },
  );
  const complete = async (end: EntryEnd) => {
    await log.complete(id, end).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error;
    });
  };
  let reply: Reply<unknown>;
  try {
    reply = await carryOut();
  } catch (error) {
    await complete({ target: undefined, ...answerTo(error) });
    throw error;
  }
  const status = reply.status ?? statuses[0] ?? 200;
  const after = target(request, reply.body);
  // What the request has deleted would get another pseudonym now.
  const isSame = isDeepStrictEqual(after, before);
  await complete({ target: isSame ? undefined : after, status, code: undefined });
  return reply;
}

function answerTo(error: unknown): Pick<EntryEnd, 'status' | 'code'> {
  if (error instanceof Problem) return { status: error.options.status, code: error.options.code };
  return error instanceof StoreUnavailable
    ? { status: 503, code: STORE_UNAVAILABLE.code }
    : { status: 500, code: 'internal' };
}
