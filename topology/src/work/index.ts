/** A worker of a declared kind: attempts, outcomes, quarantine, circuit breaker. */
export type { CircuitBreakerOptions, CircuitBreakerState } from './circuitBreaker.ts';
export type { Clock, ClockTimer } from './clock.ts';
export {
  DeadLetterConsumer,
  type DeadLetterConsumerOptions,
  type ReceivedDeadLetter,
} from './deadLetterConsumer.ts';
export { deadLetter, performStep, type WorkerPublisher } from './performStep.ts';
export type { QuarantineMode } from './quarantine.ts';
export type { DrainReport } from './queueWorker.ts';
export { QueueWorker } from './queueWorker.ts';
export type {
  AttemptEnd,
  AttemptResult,
  QueueWorkerOptions,
  Task,
  WorkerEvent,
} from './queueWorkerOptions.ts';
export { DeadlineExceeded, WorkerStopped } from './runAttempt.ts';
export type { DeadLetterDetails, SettleMethod } from './stepSettlement.ts';
export type { LinkCallbacks, LinkConsumer, LinkPublisher, WorkerLink } from './workerLink.ts';
