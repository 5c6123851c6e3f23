/** Durable jobs over a retry topology: the record is the outbox, the broker carries, the store fences. */
export { LeasedLoop, type LeasedLoopOptions } from './background/leasedLoop.ts';
export {
  type DeadLetterRecorder,
  type DeadLetterRecorderOptions,
  openDeadLetterRecorder,
} from './dead-letters/deadLetterRecorder.ts';
export { recordDeadLetters } from './dead-letters/recordDeadLetters.ts';
export type { JobEnd, JobEvent, JobListener } from './event.ts';
export { defaultStaleAfterMs, reconcileOnce } from './reconcile/reconcile.ts';
export { compilePayload, type PayloadCheck } from './record/jobMessage.ts';
export {
  type AttemptRecord,
  type Death,
  type JobRecord,
  jobId,
} from './record/jobRecord.ts';
export { type JsonBounds, jsonFault } from './record/jsonBounds.ts';
export { newJob } from './record/newJob.ts';
export { JOB_STATES, type JobState, LIVE_STATES } from './record/transitions.ts';
export { RELAY_BATCH_COUNT, type RelayOptions, relayOnce } from './relay/relay.ts';
export { collectDeadLetters } from './replay/collectDeadLetters.ts';
export { replayDead } from './replay/replay.ts';
export type { ReplayFilter } from './replay/replayFilter.ts';
export { type DeadGroup, ReplayStore } from './replay/replayStore.ts';
export { StatementRefused, StoreUnavailable } from './store/statement.ts';
export type {
  AttemptTrace,
  JobTracer,
  OperationTrace,
  PublishTrace,
  StoreWrite,
} from './trace/jobTracer.ts';
export { formatTraceparent, parseTraceparent, type TraceContext } from './trace/traceparent.ts';
export { type Wait, waitOf } from './trace/waitOf.ts';
export type { AttemptScope } from './work/attemptScope.ts';
export type { Handler, Handlers, Job } from './work/handler.ts';
export { JobWorker, type JobWorkerOptions } from './work/worker.ts';
