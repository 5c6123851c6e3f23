/** Failures: dead jobs in groups of equal errors; a group is opened, resolved or ignored. */
import {
  defineRoute,
  OPERATORS,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
} from '@fit/service';
import Type, { type Static } from 'typebox';
import { limitOf, listQuery } from '../routes/keysetList.ts';
import { FAILURE_STATES, type FailureRecord, hourOf, TREND_HOURS } from './failure.ts';
import type { FailureStore, FailureTotals } from './store/failureStore.ts';

export interface FailureRouteParts {
  readonly failures: FailureStore;
}

const Fingerprint = Type.String({ minLength: 1, maxLength: 100 });
const Count = Type.Object({ name: Type.String(), count: Type.Integer() });

const Failure = Type.Object(
  {
    fingerprint: Type.String(),
    state: Type.Enum([...FAILURE_STATES]),
    /** When the state changed. */
    stateAt: Type.String(),
    /** The most frequent cause; empty where no job is dead any more. */
    cause: Type.String(),
    causes: Type.Array(Count),
    kinds: Type.Array(Count),
    /** Jobs that are dead at `asOf`. */
    count: Type.Integer(),
    /** Part of all dead jobs, 0 to 1. */
    share: Type.Number(),
    firstSeenAt: Type.String(),
    lastSeenAt: Type.String(),
    /** Deaths in each of the last 24 hours, the current one last. */
    trend: Type.Array(Type.Integer()),
    /** One of the dead jobs, and its error. */
    sample: Type.Optional(Type.Object({ jobId: Type.String(), reason: Type.String() })),
    /** Counts are exact as of `asOf`, which is some seconds ago. */
    exact: Type.Boolean(),
    asOf: Type.String(),
  },
  { title: 'Failure' },
);

const Change = Type.Object(
  {
    state: Type.Enum([...FAILURE_STATES]),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  { additionalProperties: false, title: 'FailureChange' },
);

const FAILURE_NOT_FOUND = {
  status: 404,
  code: 'failure_not_found',
  when: 'no group of failures has this fingerprint',
  remedy:
    'GET /failures lists the groups. A new one appears some seconds after its first job has died.',
} as const satisfies ProblemKind;

export function failureRoutes({ failures }: FailureRouteParts): Route[] {
  const params = Type.Object({ fingerprint: Fingerprint });
  const { limit } = listQuery(Fingerprint);
  return [
    defineRoute({
      method: 'get',
      paths: ['/failures'],
      access: READERS,
      summary: 'List the groups of dead jobs that died of the same error',
      description:
        'Those with the most dead jobs first. Without `state` the groups that have dead jobs, in any state. `total` and `asOf` are null until the first count after the start.',
      tag: 'Failures',
      query: Type.Object(
        { state: Type.Optional(Type.Enum([...FAILURE_STATES])), limit },
        { additionalProperties: false },
      ),
      reply: Type.Object({
        failures: Type.Array(Failure),
        /** Groups that match, also those beyond `limit`. */
        groups: Type.Integer(),
        /** All dead jobs. */
        total: Type.Union([Type.Integer(), Type.Null()]),
        exact: Type.Boolean(),
        asOf: Type.Union([Type.String(), Type.Null()]),
      }),
      handle: async ({ query }) => {
        const [all, totals] = [await failures.all(), await failures.totals()];
        const { state } = query;
        const wanted = all
          .filter((group) => (state === undefined ? group.count > 0 : group.state === state))
          .sort((a, b) => b.count - a.count);
        return {
          body: {
            failures: wanted.slice(0, limitOf(query)).map((group) => toReply(group, totals)),
            groups: wanted.length,
            total: totals?.total ?? null,
            exact: totals?.isExact ?? false,
            asOf: totals?.asOf.toISOString() ?? null,
          },
        };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/failures/:fingerprint'],
      access: READERS,
      summary: 'Read a group of dead jobs',
      tag: 'Failures',
      params,
      reply: Failure,
      problems: [FAILURE_NOT_FOUND],
      handle: async ({ params: { fingerprint } }) => {
        const [found, totals] = [await failures.find(fingerprint), await failures.totals()];
        return { body: toReply(required(found, fingerprint), totals) };
      },
    }),
    defineRoute({
      method: 'patch',
      paths: ['/failures/:fingerprint'],
      access: OPERATORS,
      summary: 'Resolve, ignore or open a group of dead jobs',
      description:
        'A job that dies after a group was resolved opens it again. `POST /operations` with the fingerprint replays the jobs of the group.',
      tag: 'Failures',
      params,
      body: Change,
      reply: Failure,
      problems: [FAILURE_NOT_FOUND],
      audit: {
        action: 'failure.change',
        target: ({ params: { fingerprint }, body: { state } }) => ({ fingerprint, state }),
      },
      handle: async ({ params: { fingerprint }, body }) => {
        const changed = await failures.setState(fingerprint, body.state);
        return { body: toReply(required(changed, fingerprint), await failures.totals()) };
      },
    }),
  ];
}

/** @throws Problem 404 `failure_not_found` */
function required(found: FailureRecord | undefined, fingerprint: string): FailureRecord {
  if (found !== undefined) return found;
  throw new Problem({
    ...FAILURE_NOT_FOUND,
    title: `There is no group of failures ${fingerprint}`,
  });
}

function toReply(group: FailureRecord, totals: FailureTotals | undefined): Static<typeof Failure> {
  const { causes, kinds, count, hours, sample } = group;
  // A group that did not change since is as of the last count as well.
  const asOf = totals !== undefined && totals.asOf > group.asOf ? totals.asOf : group.asOf;
  const countOf = new Map(hours.map((each) => [each.hour, each.count]));
  const firstHour = hourOf(asOf) - TREND_HOURS + 1;
  return {
    fingerprint: group._id,
    state: group.state,
    stateAt: group.stateAt.toISOString(),
    cause: causes[0]?.name ?? '',
    causes: [...causes],
    kinds: [...kinds],
    count,
    share: totals === undefined || totals.total === 0 ? 0 : Math.min(1, count / totals.total),
    firstSeenAt: group.firstAt.toISOString(),
    lastSeenAt: group.lastAt.toISOString(),
    trend: Array.from({ length: TREND_HOURS }, (_, index) => countOf.get(firstHour + index) ?? 0),
    ...(sample === undefined ? {} : { sample }),
    exact: totals?.isExact ?? false,
    asOf: asOf.toISOString(),
  };
}
