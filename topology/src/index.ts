/**
 * Define a topology, connect, publish, work. Beside that the parts that it is made of: declaration, plan, proof and
 * decisions, which do no I/O.
 */
export {
  ConnectError,
  type ConnectErrorCode,
  type Connection,
  type ConnectionOptions,
  type ConnectionParts,
  createConnection,
  partsOf,
  type StopOptions,
  type StopReport,
} from './connect/createConnection.ts';
export {
  type CreateDeadLetterWorkerOptions,
  createDeadLetterWorker,
  type DeadLetter,
  type DeadLetterInfo,
  type DeadLetterOutcome,
  type DeadLetterWorker,
  keep,
  replay,
} from './connect/createDeadLetterWorker.ts';
export {
  type CreatePublisherOptions,
  createPublisher,
  type On,
  type OneQueue,
  type PriorityName,
  type Publisher,
  type PublishOptions,
  type PublishReport,
} from './connect/createPublisher.ts';
export {
  type BodyOn,
  type BreakerOptions,
  type CreateWorkerOptions,
  createWorker,
  type Delivered,
  type MaybePromise,
  type NamesOn,
  type Worker,
} from './connect/createWorker.ts';
export type { AttemptInfo, Hooks, Logger, OutgoingInfo, TopologyEvent } from './connect/hooks.ts';
export {
  PublishError,
  type PublishErrorCode,
  type PublishErrorDetails,
} from './connect/publishError.ts';
export type {
  MessageFields,
  RawMessage,
  ReadMessage,
  SettledAttempt,
  Thenable,
} from './connect/queueHandler.ts';
export {
  type Declaration,
  type DeclaredOr,
  declareTopology,
  type KindDeclaration,
  type KindsOptions,
  type TopologyOptions,
  tierMs,
} from './declaration/declareTopology.ts';
export {
  type Duration,
  formatDuration,
  parseDuration,
  parseDurationMs,
} from './declaration/duration.ts';
export {
  BACKENDS,
  type Backend,
  type KindOptions,
  type Load,
  type QueueNames,
  UNSAFE,
  type Unsafe,
} from './declaration/kindOptions.ts';
export { DEFAULT_PRIORITY, defaultLevel, priorityNumber } from './declaration/priorities.ts';
export {
  type AnyTopology,
  type DefineOptions,
  defineTopology,
  type KeyPattern,
  type NoExtraOptions,
  type NoneBut,
  type QueueOptions,
  type Queues,
  type RetryPolicy,
  type Topology,
} from './define/defineTopology.ts';
export {
  type BodyInput,
  type BodyOutput,
  checkBody,
  InvalidBody,
  type MessageName,
  type Messages,
  namesOn,
} from './define/messages.ts';
export { type ExponentialOptions, exponential, fixed, linear } from './define/retryDelays.ts';
export { topologyOf } from './define/topologyOf.ts';
export { type Fault, fault, TopologyError, type TopologyErrorCode } from './errors.ts';
export { type BrokerProfile, compareVersions, isAtLeast } from './plan/brokerProfile.ts';
export {
  deadLetterQueue,
  delayName,
  directKey,
  firstRetryExchange,
  isWaitQueue,
  noteIdOf,
  notesName,
  parkExchange,
  retryExchange,
  retryExchanges,
  returnExchange,
  spreadExchange,
  spreadQueue,
  type TieredKind,
  tierKey,
  tierOfKey,
  type WaitingKind,
  waitQueue,
  waitQueuesOf,
} from './plan/names.ts';
export { isLinear } from './plan/planNative.ts';
export { planTopology } from './plan/planTopology.ts';
export { type ReturnCapacity, returnCapacity } from './plan/returnCapacity.ts';
export type {
  BindingPlan,
  ExchangePlan,
  ExchangeType,
  NotesPlan,
  PlannedKind,
  PolicyPlan,
  QueuePlan,
  QueueRole,
  TopologyPlan,
} from './plan/topologyPlan.ts';
export { provePlan } from './proof/provePlan.ts';
export {
  afterDeath,
  type DeathReason,
  deathReasons,
  type MessagePosition,
  type RoutedMessage,
  route,
} from './proof/routes.ts';
export {
  type Attempt,
  attemptOf,
  type PublishTarget,
  publishTarget,
  type RetriedKind,
  replayTarget,
} from './retry/attempt.ts';
export {
  type CrashRisk,
  crashesOf,
  crashRisk,
  type RedeliveryEvidence,
} from './retry/crashRisk.ts';
export {
  CAUSE_HEADER,
  DEATH_CAUSES,
  type DeathCause,
  deathCause,
  WORKER_CAUSES,
  type WorkerCause,
} from './retry/deathCause.ts';
export {
  type DeathDescription,
  type DeathNote,
  type DeathSource,
  deathIdentity,
  describeDeath,
  fingerprint,
} from './retry/describeDeath.ts';
export { type Arrival, eligibleAtMs, REPLAYED_AT_HEADER } from './retry/eligibleAt.ts';
export { messageName, type NamedDelivery } from './retry/messageName.ts';
export { type NextStep, nextStep } from './retry/nextStep.ts';
export {
  discard,
  errorClass,
  errorMessage,
  type HandlerResult,
  type Hold,
  hold,
  InvalidOutcome,
  type Outcome,
  type OutcomeType,
  outcomeOfThrow,
  reject,
  retry,
} from './retry/outcome.ts';
export { type ReplayRun, replayedBy, replayHeaders } from './retry/replayHeaders.ts';
export {
  longestWaitMs,
  SPREAD_HEADER,
  SPREADS,
  type Spread,
  spreadHeader,
  spreadMs,
} from './retry/spread.ts';
export {
  type DeathRecord,
  deliveryCount,
  type Headers,
  readDeaths,
  rejectionCount,
} from './retry/xDeath.ts';
