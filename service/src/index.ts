/** The shell that both services stand in: HTTP, health, metrics, log, start and stop. */

export { type Check, Health, type HealthReply } from './health/health.ts';
export { Pulse } from './health/pulse.ts';
export { serviceChecks } from './health/serviceChecks.ts';
export { CATALOGUE, type MetricSection, SERIES_CEILINGS } from './metrics/catalogue.ts';
export { countPublishes, countSessions } from './metrics/countBroker.ts';
export { countJobs } from './metrics/countJobs.ts';
export { countRequests } from './metrics/countRequests.ts';
export { countStore, readPool } from './metrics/countStore.ts';
export type { LabelBound, MetricDefinition, ProcessName } from './metrics/definition.ts';
export type { MetricSet } from './metrics/metricSet.ts';
export { openMetrics, openServiceMetrics } from './metrics/openMetrics.ts';
export { PLAIN_NAMES, type PlainName } from './metrics/plainNames.ts';
export { currentTraceparent, logAround, noteInLog } from './process/logContext.ts';
export { logJobEvent, logSessionEvent } from './process/logEvents.ts';
export { logDefect, logRequests, logWrongTokens } from './process/logRequests.ts';
export { type Log, openLog } from './process/openLog.ts';
export { runService, type Stop } from './process/runService.ts';
export { defineRoute, type Route } from './route/defineRoute.ts';
export { fileRoutes, type ServedFile } from './route/fileRoutes.ts';
export { healthRoutes } from './route/healthRoutes.ts';
export { Problem, ProblemSchema } from './route/problem.ts';
export { createApp } from './server/createApp.ts';
export { listen } from './server/listen.ts';
export { serveOperations } from './server/serveOperations.ts';
export { EVENT_STREAM_HEADERS, EventStreams } from './stream/eventStreams.ts';
export { openTracing } from './tracing/openTracing.ts';
