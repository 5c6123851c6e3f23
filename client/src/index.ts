/** The monolith's API from outside, for cron, `npm start`, tests and campaigns. It imports nothing else of FIT. */
export {
  type Credentials,
  FitClient,
  FitRequestError,
  isRepeatable,
  type RetryOptions,
  type RunReply,
  type RunStatusReply,
  untilAccepted,
} from './fitClient.ts';
export { type FollowOptions, followRun } from './followRun.ts';
