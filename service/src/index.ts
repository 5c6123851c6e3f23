/** The shell that both services stand in: HTTP, health, metrics, log, start and stop. */

export { Health, type HealthCheck, type HealthReply } from './health/health.ts';
export { Heartbeat } from './health/heartbeat.ts';
export { dependencyChecks } from './health/serviceChecks.ts';
export { CATALOGUE, type MetricSection, SERIES_CEILINGS } from './metrics/catalogue.ts';
export { countPublishes, countSessions } from './metrics/countBroker.ts';
export { countJobs } from './metrics/countJobs.ts';
export { countRequests } from './metrics/countRequests.ts';
export { countStore, exportPoolGauges } from './metrics/countStore.ts';
export { createMetrics, createServiceMetrics } from './metrics/createMetrics.ts';
export type { LabelBound, MetricDefinition, ProcessName } from './metrics/definition.ts';
export { METRIC_ALIASES, type MetricAlias } from './metrics/metricAliases.ts';
export type { MetricSet } from './metrics/metricSet.ts';
export { addLogFields, currentTraceparent, withAttemptLogContext } from './process/logContext.ts';
export { logJobEvent, logSessionEvent } from './process/logEvents.ts';
export { logDefect, logRequests, logWrongTokens } from './process/logRequests.ts';
export { type Log, openLog } from './process/openLog.ts';
export { runService, type ShutdownHook } from './process/runService.ts';
export { defineRoute, type Route } from './route/defineRoute.ts';
export { fileRoutes, type ServedFile } from './route/fileRoutes.ts';
export { healthRoutes } from './route/healthRoutes.ts';
export { invalidInput, Problem, ProblemSchema } from './route/problem.ts';
export { createApp } from './server/createApp.ts';
export { listen } from './server/listen.ts';
export { serveOperations } from './server/serveOperations.ts';
export { EVENT_STREAM_HEADERS, EventStreams } from './stream/eventStreams.ts';
export { openTracing } from './tracing/openTracing.ts';
