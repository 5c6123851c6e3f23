/** A worker over a declared kind: attempts, outcomes, quarantine, circuit breaker. */
export { performStep } from './carryOut.ts';
export { type DeadLetterDetails, deadLetter } from './deadLetters.ts';
export type { QuarantineMode } from './quarantine.ts';
export { DeadlineExceeded } from './runAttempt.ts';
export { Worker } from './worker.ts';
export type {
  AttemptEnd,
  AttemptResult,
  Task,
  WorkerEvent,
  WorkerOptions,
} from './workerOptions.ts';
