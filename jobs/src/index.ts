/** Durable jobs over a retry topology: runs and batches are the outbox, the record is the truth about a job, the broker carries messages, guards in the store refuse late writes. */
export {
  type BackgroundTaskOptions,
  type BackgroundTasks,
  type JobEffects,
  type LoopTask,
  ROUND_PAUSE_MS,
  startBackgroundTasks,
  TASK_NAMES,
  type TaskName,
} from './background/backgroundTasks.ts';
export { LeasedLoop, type LeasedLoopOptions } from './background/leasedLoop.ts';
export { cancelJob } from './cancel/cancelJob.ts';
export { cancelRun } from './cancel/cancelRun.ts';
export { collectDeadLetters } from './dead-letters/collectDeadLetters.ts';
export {
  type DeadLetterRecorder,
  type DeadLetterRecorderOptions,
  openDeadLetterRecorder,
} from './dead-letters/deadLetterRecorder.ts';
export {
  type RecordDeadLettersOptions,
  recordDeadLetters,
} from './dead-letters/recordDeadLetters.ts';
export type { JobEnd, JobEvent, JobListener } from './jobEvent.ts';
export { type EnqueuedJob, Enqueuer, type EnqueuerOptions } from './open/enqueuer.ts';
export { asJson, type JobAttempt, type JobErrorMapper, type JobTask } from './open/jobHandler.ts';
export type { JobKind, JobKinds } from './open/jobKinds.ts';
export { type JobRefusal, JobRefused, type JobRefusedDetails } from './open/jobRefused.ts';
export type { JobReport } from './open/jobReport.ts';
export {
  type Dependencies,
  type EnqueueOptions,
  type JobFilter,
  type JobStatus,
  type Jobs,
  type ListFilter,
  type OpenJobsOptions,
  type OpenWorker,
  openJobs,
  type StopOptions,
  type StoredJob,
  type WorkOptions,
} from './open/openJobs.ts';
export { type RequestedJob, requestedJob } from './open/requestedJob.ts';
export {
  defaultStaleAfterMs,
  Reconciler,
  type ReconcilerOptions,
  type ReconcilerRound,
} from './reconcile/reconciler.ts';
export { BATCH_LIMIT, type BatchRecord, pageBatchId } from './record/batch.ts';
export { compilePayload, type PayloadCheck } from './record/jobMessage.ts';
export {
  type AttemptRecord,
  type JobDeath,
  type JobRecord,
  type JobReplay,
  jobId,
  keyOf,
  type NewJob,
  newJob,
  STORED_ATTEMPTS_LIMIT,
  STORED_REPLAYS_LIMIT,
} from './record/jobRecord.ts';
export { type JsonBounds, jsonFault } from './record/jsonBounds.ts';
export {
  type EndCounts,
  endedCount,
  endsOf,
  isExpanded,
  type NewRun,
  NO_ENDS,
  NO_RUN,
  newRun,
  type RunRecord,
} from './record/run.ts';
export { escapePattern } from './record/texts.ts';
export { timeKey } from './record/timeKey.ts';
export {
  JOB_STATES,
  type JobState,
  LIVE_STATES,
  SHOWN_STATES,
  type ShownState,
} from './record/transitions.ts';
export { openRelayPublisher, type RelayPublisher } from './relay/jobPublisher.ts';
export { Relay, type RelayOptions } from './relay/relay.ts';
export type { RunSource, SourcePage } from './relay/runSource.ts';
export {
  GROUP_COUNT,
  READ_COUNT,
  type ReplayOptions,
  replayDead,
} from './replay/replayDeadJobs.ts';
export {
  groupsOf,
  type ReplayedGroup,
  type ReplayGroup,
  type ReplayStores,
  replayGroup,
  type SkippedJob,
} from './replay/replayGroup.ts';
export {
  Retention,
  type RetentionOptions,
  type RetentionPolicy,
  type RetentionRound,
} from './retention/retention.ts';
export { EndCounter, type EndCounterOptions } from './settle/endCounter.ts';
export type { DeadGroup, ReplayFilter } from './store/deadJobStore.ts';
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
