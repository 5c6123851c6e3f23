/** The jobs of a run, page by page: one workout for each user, with the user's profile as it is when the page is read. */
import { withInjuries, wodId } from '@fit/contract';
import type { NewJob, RunRecord, RunSource } from '@fit/jobs';
import type { User, UserStore } from '../store/userStore.ts';
import { wodRequestOf } from './wodRequest.ts';

export interface WodSourceParts {
  readonly users: Pick<UserStore, 'list' | 'findAll' | 'count'>;
  /** The share of jobs that get a trace of their own in a run that is too large for one trace; 0 to 1. */
  readonly largeRunShare: number;
}

/**
 * The jobs of a run of up to this size share the trace of the request. Of a larger run a share of the jobs get a trace
 * each, linked to the request, because no trace viewer shows a trace of 40,000 spans.
 */
const JOBS_IN_ONE_TRACE = 100;

const KIND = 'createWod';

export function wodSource({ users, largeRunShare }: WodSourceParts): RunSource {
  return {
    kindOf: () => KIND,
    page: async (run, after, limit) => {
      const page = await readPage(users, run, { after, limit });
      // The whole run is small only if its first page is; the pages after a full one belong to a large run.
      const isSmallRun = after === '' && page.users.length <= JOBS_IN_ONE_TRACE;
      const jobs = page.users.map((user) =>
        jobOf(user, run, traceOf(run, isSmallRun ? 'shared' : largeRunShare)),
      );
      return { jobs, last: page.last, isLast: page.isLast };
    },
    count: async ({ items }) => items?.length ?? (await users.count()),
  };
}

interface UserPage {
  readonly users: readonly User[];
  readonly last: string;
  readonly isLast: boolean;
}

async function readPage(
  users: WodSourceParts['users'],
  { items }: RunRecord,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<UserPage> {
  if (items === undefined) {
    const found = await users.list(after, limit);
    return { users: found, last: found.at(-1)?.id ?? after, isLast: found.length < limit };
  }
  const rest = items.filter((id) => id > after);
  const ids = rest.slice(0, limit);
  return {
    users: await users.findAll(ids),
    last: ids.at(-1) ?? after,
    isLast: rest.length <= limit,
  };
}

/** The trace is chosen before the job is written, so a job that is not traced carries no trace through database and broker. */
function traceOf({ traceparent }: RunRecord, share: number | 'shared'): NewJob['trace'] {
  if (traceparent === undefined) return undefined;
  if (share === 'shared') return { traceparent };
  return Math.random() < share ? { tracelinks: [traceparent] } : undefined;
}

function jobOf(user: User, run: RunRecord, trace: NewJob['trace']): NewJob {
  const { date } = wodRequestOf(run);
  const { id: userId, level, equipment, exclusions = [], injuries = [] } = user;
  return {
    kind: KIND,
    key: wodId(userId, date),
    payload: {
      userId,
      date,
      level,
      equipment,
      exclusions: injuries.length === 0 ? exclusions : withInjuries(exclusions, injuries),
    },
    trace,
  };
}
