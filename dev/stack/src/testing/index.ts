/** What broker and store tests stand on; the servers are those that `npm test` started. */
export { AlertSink, type Notification } from './alertSink.ts';
export { type EventuallyOptions, eventually } from './eventually.ts';
export { noonTimezone } from './noonTimezone.ts';
export { openBrowser } from './openBrowser.ts';
export {
  type ActiveAlert,
  type EvaluatedRule,
  PrometheusApi,
  type Series,
  type TimeRange,
} from './prometheusApi.ts';
export { type TestBroker, testBroker } from './testBroker.ts';
export { testDatabaseUrl } from './testDatabaseUrl.ts';
export { askManagement, type ManagementRequest, type Teardown } from './testServer.ts';
