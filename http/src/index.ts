/** The shell that both services stand in: HTTP, health, metrics, log, start and stop. */
export { exportInFlight, exportLimits, jobMetrics } from './metrics/jobMetrics.ts';
export { type ServiceMetrics, serviceMetrics } from './metrics/serviceMetrics.ts';
export { currentTraceparent, noteInLog } from './process/logContext.ts';
export { type Log, logJobEvent, logSessionEvent, openLog } from './process/logEvents.ts';
export { logDefect, logRequests } from './process/logRequests.ts';
export { runService, type Stop } from './process/runService.ts';
export { defineRoute, type Route } from './route/defineRoute.ts';
export { healthRoutes } from './route/healthRoutes.ts';
export { Problem, ProblemSchema } from './route/problem.ts';
export { createApp } from './server/createApp.ts';
export { listen } from './server/listen.ts';
export { type Readiness, serveOperations } from './server/serveOperations.ts';
export { openTracing, type Tracing } from './tracing/openTracing.ts';
