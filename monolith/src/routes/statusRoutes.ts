/** The status of the system: `GET /status` as one document, `GET /events` as a stream of it, `GET /alerts` its alerts. */
import {
  defineRoute,
  EVENT_STREAM_HEADERS,
  READERS,
  type Route,
  STREAM_PROBLEMS,
} from '@fit/service';
import Type, { type Static, type TSchema } from 'typebox';
import { Alert, AlertReport } from '../status/alertReport.ts';
import { type OpenStatus, Status } from '../status/statusBoard.ts';

const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

const AlertsReply = Type.Object({
  state: Type.Enum(['known', 'unknown']),
  /** When Prometheus last answered; null: it never did. */
  asOf: orNull(Type.String()),
  /** Why the state is unknown; null while it is known. */
  reason: orNull(Type.String()),
  /** Whether Alertmanager answers, which notifies people; `silent`: nobody may be notified, and suppressions are not known. */
  notifier: AlertReport.properties.notifier,
  /** The most urgent first. */
  firing: orNull(Type.Array(Alert)),
  /** Those that fire if their condition holds for some more time. */
  pending: orNull(Type.Array(Alert)),
  /** Alerts beyond those that are listed. */
  unlistedCount: orNull(Type.Integer()),
});

/** No I/O. */
export function alertsReply(report: AlertReport): Static<typeof AlertsReply> {
  const { freshness, isEvaluated, notifier, firing, pending, unlistedCount } = report;
  const asOf = freshness.answeredAt;
  if (!freshness.isStale && isEvaluated)
    return { state: 'known', asOf, reason: null, notifier, firing, pending, unlistedCount };
  const reason = freshness.isStale
    ? (freshness.reason ?? 'Prometheus has not answered yet')
    : 'Prometheus answers without the Watchdog, so its rules are not evaluated';
  return {
    state: 'unknown',
    asOf,
    reason,
    notifier,
    firing: null,
    pending: null,
    unlistedCount: null,
  };
}

export function statusRoutes({ board, streams }: Pick<OpenStatus, 'board' | 'streams'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/status'],
      access: READERS,
      summary: 'Read what the status page shows',
      tag: 'Status',
      reply: Status,
      handle: async () => ({ body: await board.read() }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/alerts'],
      access: READERS,
      summary: 'List the alerts that fire',
      description:
        'As Prometheus evaluates them, at most 4 s old, each with its runbook. While Prometheus does not answer, or its rules are not evaluated, `state` is `unknown` and the lists are null: an empty list says that nothing fires.',
      tag: 'Status',
      reply: AlertsReply,
      handle: async () => ({ body: alertsReply(await board.readAlerts()) }),
    }),
    defineRoute({
      method: 'get',
      paths: ['/events'],
      access: READERS,
      summary: 'Read the status as a stream',
      description:
        'Server-sent events named `status`: the whole status at once, and again whenever it changes.',
      tag: 'Status',
      reply: Type.Unknown(),
      replyTypes: ['text/event-stream'],
      problems: STREAM_PROBLEMS,
      handle: async ({ isStillAllowed }) => {
        // Without readers nothing is read, so the last status may be hours old; the first event must be current.
        await board.broadcast();
        return { headers: EVENT_STREAM_HEADERS, body: streams.open(isStillAllowed) };
      },
    }),
  ];
}
