/** How long the pages of GET /jobs take beside very many records, as multiples of a bare find of as many by the primary key. */
import type { FitClient } from '@fit/client';
import { type JobRecord, pageBatchId } from '@fit/jobs';
import type { Db } from 'mongodb';
import { withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf } from '../fitRun.ts';
import { quantile, round } from '../statistics.ts';
import { type Comparison, measuredBelow, type Workload } from '../workload.ts';

const PAGE = 1_000;
const RUNS = 10;
const LEVELS = ['beginner', 'scaled', 'rx', 'elite'] as const;
const CAUSES = ['exhausted', 'fatal', 'malformed', 'crashed', 'expired'] as const;
/** Of a thousand jobs. */
const DEAD = 10;
const RETRIED = 40;
const LIMIT_MS = 100;

const userOf = (number: number) => `user-${String(number).padStart(7, '0')}`;
const dayOf = (run: number) => `2026-12-${String(run + 1).padStart(2, '0')}`;

/** The middle of the ids: no page begins at the end of an index. */
const AFTER_PATH = (users: number) =>
  `after=${encodeURIComponent(`createWod:${userOf(Math.floor(users / 2))}:${dayOf(4)}`)}`;

/** Pages by what an operator looks for; all of them begin in the middle of the jobs, except those of a run and of a user. */
function pagesOf(users: number): Readonly<Record<string, string>> {
  const after = AFTER_PATH(users);
  const user = userOf(Math.floor(users / 3));
  return {
    'all jobs': after,
    'of a kind': `kind=createWod&${after}`,
    'of a user': `user=${user}`,
    'of a run': 'runId=run-3',
    'dead ones of a run': 'runId=run-3&state=dead',
    'done ones': `state=done&${after}`,
    'dead ones, of 10,000 at a million': `state=dead&${after}`,
    'dead ones by cause': `cause=fatal&${after}`,
    'dead ones by error text': `error=host-17&${after}`,
    'waiting ones': `state=waiting&${after}`,
    'with two attempts or more': `attempts=2&${after}`,
    'by a field of the payload': `payload.level=beginner&${after}`,
    'by a field and a date, a tenth of them': `payload.level=rx&from=2026-11-25&to=2026-11-26&${after}`,
    'a rare condition: 10,000 are looked at': `payload.userId=nobody&${after}`,
    'a rare condition in a run: 4,000 are looked at': 'runId=run-3&payload.userId=nobody',
  };
}

export const jobList: Workload<'jobs' | 'requests'> = {
  name: 'job-list',
  description:
    'the pages of GET /jobs beside a million records, p95 of each, as multiples of a bare find of 100 records',
  options: {
    jobs: { description: 'job records', default: 1_000_000, minimum: PAGE * RUNS },
    requests: { description: 'requests of each page', default: 40 },
  },
  measure: async ({ jobs, requests }, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) =>
      withSystemUnderTest(stack, { coachCount: 0 }, async (tested) => {
        const users = Math.floor(jobs / RUNS / PAGE) * PAGE;
        await fill(tested.database, users, report);
        const pages = pagesOf(users);
        const bareMs: number[] = [];
        const ms = new Map(Object.keys(pages).map((name) => [name, [] as number[]]));
        const client = clientOf(tested);
        for (let number = 0; number <= requests; number += 1)
          for (const [name, query] of Object.entries(pages)) {
            const bare = await timed(() => bareFind(tested.database, users));
            const page = await timed(() => read(client, query));
            // The first request of each opens connections and compiles code.
            if (number === 0) continue;
            bareMs.push(bare);
            ms.get(name)?.push(page);
          }
        const bareP95 = round(quantile(bareMs, 0.95));
        const comparisons = [...ms].map(([name, values]): Comparison => {
          const p95 = round(quantile(values, 0.95));
          report(`${name}: p95 ${p95} ms, median ${round(quantile(values, 0.5))} ms`);
          return {
            name: `${name}, p95`,
            unit: 'ms',
            measured: [p95],
            baseline: [bareP95],
            bound: measuredBelow(LIMIT_MS, 'ms'),
          };
        });
        return {
          baselineName: 'bare find of 100 records by the primary key, p95',
          comparisons,
          rounds: [],
          notes: [
            'A page is a request to the monolith with a token, whose account is read with it; its baseline is a statement of the driver.',
          ],
        };
      }),
    ),
};

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** @throws Error if the list was refused. */
async function read(client: FitClient, query: string): Promise<void> {
  await client.request('GET', `/jobs?limit=100&${query}`);
}

async function bareFind(database: Db, users: number): Promise<void> {
  const _id = { $gt: `createWod:${userOf(Math.floor(users / 2))}:${dayOf(4)}` };
  const found = await database
    .collection<JobRecord>('jobs')
    .find({ _id }, { sort: { _id: 1 }, limit: 100, batchSize: 100, projection: { payload: 0 } })
    .toArray();
  if (found.length !== 100) throw new Error(`the bare find found ${found.length} records`);
}

/** Ten runs of ten days: of a thousand jobs ten are dead, thirty were retried, one waits, one runs, the others are done. */
async function fill(database: Db, users: number, report: (line: string) => void): Promise<void> {
  const now = Date.now();
  for (let run = 0; run < RUNS; run += 1) {
    for (let page = 0; page < users / PAGE; page += 1) {
      const after = page === 0 ? '' : userOf(page * PAGE - 1);
      const batch = pageBatchId(`run-${run}`, after);
      const createdAt = new Date(Date.UTC(2026, 10, 20 + run, 3) + page * 200);
      const records = Array.from({ length: PAGE }, (_, index) =>
        recordOf({ user: page * PAGE + index, run, batch, createdAt, now }),
      );
      await database.collection<JobRecord>('jobs').insertMany(records, { ordered: false });
      await database.collection<{ _id: string }>('batches').insertOne({
        _id: batch,
        runId: `run-${run}`,
        page,
        after,
        last: userOf(page * PAGE + PAGE - 1),
        kind: 'createWod',
        ids: records.map(({ _id }) => _id).sort(),
        state: 'ended',
        createdAt,
        // The retention must not delete what is measured.
        publishedAt: new Date(now),
        owner: '',
        leaseUntil: createdAt,
        fence: 1,
      } as { _id: string });
    }
    report(`${(run + 1) * users} records`);
  }
}

interface RecordParts {
  readonly user: number;
  readonly run: number;
  readonly batch: string;
  readonly createdAt: Date;
  readonly now: number;
}

function recordOf({ user, run, batch, createdAt, now }: RecordParts): JobRecord {
  const userId = userOf(user);
  const kindOfEnd = (((user * 7 + run * 13) * 2_654_435_761) >>> 0) % 1_000;
  const state =
    kindOfEnd < DEAD
      ? 'dead'
      : kindOfEnd === DEAD
        ? 'waiting'
        : kindOfEnd === DEAD + 1
          ? 'running'
          : 'done';
  // The reconciler must not take the running and waiting jobs for lost ones.
  const stateAt = state === 'done' ? createdAt : new Date(now + 86_400_000);
  const isRetried = kindOfEnd < RETRIED;
  const reason = `cannot reach host-${user % 50}`;
  const fingerprint = `f${user % 50}`;
  const attempt = {
    number: 1,
    generation: 1,
    startedAt: createdAt,
    endedAt: createdAt,
    outcome: 'retry' as const,
    delayMs: 5_000,
    workerId: 'worker',
    error: { class: 'TypeError', message: reason, fingerprint },
  };
  const cause = CAUSES[user % CAUSES.length] ?? 'fatal';
  return {
    _id: `createWod:${userId}:${dayOf(run)}`,
    kind: 'createWod',
    state,
    generation: 1,
    attemptCount: isRetried ? 2 : 1,
    runId: `run-${run}`,
    batch,
    payload: {
      userId,
      date: dayOf(run),
      level: LEVELS[user % LEVELS.length],
      equipment: ['barbell', 'dumbbell'],
      exclusions: [],
    },
    createdAt,
    stateAt,
    ...(isRetried ? { attempts: [attempt] } : {}),
    ...(state === 'dead' ? { death: { cause, fingerprint, reason, at: createdAt } } : {}),
    ...(state === 'done' ? { doneAt: createdAt, workerId: 'worker' } : {}),
  };
}
