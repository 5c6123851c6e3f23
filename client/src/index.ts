/** The monolith's API from outside: for the cron script, launchers, tests and campaigns. Needs Node alone. */
export { type AwaitReadyOptions, awaitReady } from './awaitReady.ts';
export { FitClient, FitRequestError, type RunReply, type RunStatusReply } from './fitClient.ts';
export { type FollowOptions, followRun } from './followRun.ts';
