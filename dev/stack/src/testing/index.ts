/** What tests on real servers use; the servers are those that `npm test` started. */
export { AlertSink, type Notification } from './alertSink.ts';
export { openBrowser } from './openBrowser.ts';
export {
  type ActiveAlert,
  type EvaluatedRule,
  PrometheusApi,
  type Series,
  type TimeRange,
} from './prometheusApi.ts';
export {
  askManagement,
  type ManagementRequest,
  type Teardown,
  type TestBroker,
  testBroker,
  testDatabaseUrl,
  whileWritesAreBlocked,
} from './testServers.ts';
export { type EventuallyOptions, eventually, noonTimezone } from './testTime.ts';
