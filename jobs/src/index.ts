/** Durable jobs over a retry topology: the record is the truth and the outbox, the broker carries messages, guards in the store refuse late writes. */
export { LeasedLoop, type LeasedLoopOptions } from './background/leasedLoop.ts';
export { collectDeadLetters } from './dead-letters/collectDeadLetters.ts';
export {
  type DeadLetterRecorder,
  type DeadLetterRecorderOptions,
  openDeadLetterRecorder,
} from './dead-letters/deadLetterRecorder.ts';
export { recordDeadLetters } from './dead-letters/recordDeadLetters.ts';
export type { JobEnd, JobEvent, JobListener } from './jobEvent.ts';
export { defaultStaleAfterMs, reconcileOnce } from './reconcile/reconcile.ts';
export { compilePayload, type PayloadCheck } from './record/jobMessage.ts';
export {
  type AttemptRecord,
  type JobDeath,
  type JobRecord,
  jobId,
  newJob,
} from './record/jobRecord.ts';
export { type JsonBounds, jsonFault } from './record/jsonBounds.ts';
export { JOB_STATES, type JobState, LIVE_STATES } from './record/transitions.ts';
export { RELAY_BATCH_COUNT, type RelayOptions, relayOnce } from './relay/relay.ts';
export {
  type DeadGroup,
  type ReplayFilter,
  ReplayStore,
  replayDead,
} from './replay/replayDeadJobs.ts';
export { StatementRefused, StoreUnavailable } from './store/statement.ts';
export type {
  AttemptTrace,
  JobTracer,
  OperationTrace,
  PublishTrace,
  StoreWrite,
} from './trace/jobTracer.ts';
export { parseTraceparent, type TraceContext } from './trace/traceparent.ts';
export { type TierWait, tierWaitBefore } from './work/attemptWaits.ts';
export type { Handler, Handlers, Job } from './work/handler.ts';
export { type AttemptScope, JobWorker, type JobWorkerOptions } from './work/jobWorker.ts';
