/** Declare a retry topology, plan it, prove it. Nothing here does I/O; `@fit/topology/amqp` does. */
export {
  type Declaration,
  declareTopology,
  type KindDeclaration,
  type KindsOptions,
  type TopologyOptions,
  tierMs,
} from './declaration/declareTopology.ts';
export { type Duration, formatDuration, parseDurationMs } from './declaration/duration.ts';
export type { Backend, KindOptions, Load, Unsafe } from './declaration/kindOptions.ts';
export { type Fault, fault, TopologyError, type TopologyErrorCode } from './errors.ts';
export { type BrokerProfile, compareVersions, isAtLeast } from './plan/brokerProfile.ts';
export {
  deadLetterQueue,
  isWaitQueue,
  parkExchange,
  retryExchange,
  returnExchange,
  tierKey,
  tierOfKey,
  waitQueue,
} from './plan/names.ts';
export { isLinear } from './plan/planNative.ts';
export { planTopology } from './plan/planTopology.ts';
export { type ReturnCapacity, returnCapacity } from './plan/returnCapacity.ts';
export type {
  BindingPlan,
  ExchangePlan,
  PlannedKind,
  PolicyPlan,
  QueuePlan,
  QueueRole,
  TopologyPlan,
} from './plan/topologyPlan.ts';
export {
  afterDeath,
  type DeathReason,
  deathReasons,
  type MessagePosition,
} from './proof/deathRoutes.ts';
export { provePlan } from './proof/provePlan.ts';
export { route } from './proof/route.ts';
export {
  type Attempt,
  attemptOf,
  type Death,
  deliveryCount,
  type Headers,
  readDeaths,
} from './retry/attempt.ts';
export {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitBreakerState,
} from './retry/breaker.ts';
export { type CrashRisk, crashesOf, crashRisk, type RedeliveryEvidence } from './retry/crashes.ts';
export {
  CAUSE_HEADER,
  DEATH_CAUSES,
  type DeathCause,
  deathCause,
  type WorkerCause,
} from './retry/deathCause.ts';
export { type DeathDescription, describeDeath, fingerprint } from './retry/describeDeath.ts';
export { type Arrival, eligibleAtMs, REPLAYED_AT_HEADER } from './retry/eligible.ts';
export { type NextStep, nextStep } from './retry/nextStep.ts';
export {
  errorClass,
  type HandlerAnswer,
  InvalidOutcome,
  type Outcome,
  type OutcomeType,
  outcomeOfThrow,
} from './retry/outcome.ts';
export { type PublishTarget, publishTarget } from './retry/publishTarget.ts';
