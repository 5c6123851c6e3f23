/** What every service shares: HTTP routes, health, metrics, log, traces, start and stop. */

export {
  type Access,
  ADMINS,
  type Caller,
  type Grant,
  isAllowed,
  OPERATORS,
  ownerLimit,
  READERS,
  ROLES,
  type Role,
} from './access/access.ts';
export {
  type Authenticate,
  bearerOf,
  type CallerMemory,
  openAccess,
  SECURE_SESSION_COOKIE,
  SESSION_COOKIE,
  sessionIdOf,
} from './access/authenticator.ts';
export type { KeyRing } from './access/keyRing.ts';
export {
  ACCOUNTS_COLLECTION,
  type CallerRecord,
  type RevokedToken,
  SESSIONS_COLLECTION,
  type SessionDocument,
} from './access/store/callerStore.ts';
export { issueToken, TOKEN_LIFETIME_SECONDS } from './access/tokens.ts';
export type { AuditLog, BegunEntry, EntryEnd } from './audit/audited.ts';
export type { AuditTarget } from './audit/routeAudit.ts';
export { ErasedUsers } from './erasure/erasedUsers.ts';
export { type Erasure, ErasureStore } from './erasure/store/erasureStore.ts';
export {
  dependencyChecks,
  Health,
  type HealthCheck,
  type HealthReply,
} from './health/health.ts';
export { Heartbeat } from './health/heartbeat.ts';
export { IDEMPOTENCY_KEY_REUSED } from './idempotency/onceByKey.ts';
export { IdempotencyStore } from './idempotency/store/idempotencyStore.ts';
export { countPublishes, countSessions } from './metrics/countBroker.ts';
export { countJobs } from './metrics/countJobs.ts';
export { countRequests } from './metrics/countRequests.ts';
export { countStore, exportPoolGauges } from './metrics/countStore.ts';
export { createMetrics, createServiceMetrics } from './metrics/createMetrics.ts';
export { exportPausedQueues } from './metrics/exportPausedQueues.ts';
export {
  CATALOGUE,
  type LabelBound,
  METRIC_ALIASES,
  type MetricAlias,
  type MetricDefinition,
  type MetricSection,
  type ProcessName,
  SERIES_CEILINGS,
} from './metrics/metricCatalogue.ts';
export type { MetricSet } from './metrics/metricSet.ts';
export { withDocumentation } from './openapi/documentationRoutes.ts';
export {
  type DocumentOptions,
  type OpenApiDocument,
  type Operation,
  openApiDocument,
  type Parameter,
  pathsOf,
} from './openapi/openApiDocument.ts';
export { addLogFields, currentTraceparent, withAttemptLogContext } from './process/logContext.ts';
export {
  logBrokerEvent,
  logDefect,
  logJobEvent,
  logRequests,
  logWrongTokens,
} from './process/logEvents.ts';
export { openBroker } from './process/openBroker.ts';
export { type Log, openLog } from './process/openLog.ts';
export { DRAIN_MS, runService, type ShutdownHook } from './process/runService.ts';
export { answerInTime } from './route/answerInTime.ts';
export { compileCheck } from './route/checkInput.ts';
export { defineRoute, type Route } from './route/defineRoute.ts';
export { fileRoutes, type ServedFile } from './route/fileRoutes.ts';
export { healthRoutes } from './route/healthRoutes.ts';
export {
  INVALID_INPUT,
  invalidInput,
  Problem,
  type ProblemKind,
  ProblemSchema,
} from './route/problem.ts';
export { allProblems, BUSY, FORBIDDEN, STORE_UNAVAILABLE } from './route/sharedProblems.ts';
export { createApp } from './server/createApp.ts';
export { listen } from './server/listen.ts';
export { serveOperations } from './server/serveOperations.ts';
export { Settings } from './settings/settings.ts';
export { SettingsStore } from './settings/store/settingsStore.ts';
export { EVENT_STREAM_HEADERS, EventStreams, STREAM_PROBLEMS } from './stream/eventStreams.ts';
export { openTracing } from './tracing/openTracing.ts';
