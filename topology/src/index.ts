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
export { type Fault, TopologyError, type TopologyErrorCode } from './errors.ts';
export type { BrokerProfile } from './plan/brokerProfile.ts';
export { type Headroom, headroomOf } from './plan/headroom.ts';
export { deadLetterQueue, parkExchange, returnExchange, tierKey, waitQueue } from './plan/names.ts';
export { planTopology } from './plan/planTopology.ts';
export type {
  BindingPlan,
  ExchangePlan,
  PlannedKind,
  PolicyPlan,
  QueuePlan,
  QueueRole,
  TopologyPlan,
} from './plan/topologyPlan.ts';
export { provePlan } from './proof/provePlan.ts';
export { route } from './proof/route.ts';
export { afterDeath, type DeathReason, deathReasons, type Place } from './proof/walk.ts';
export { type Attempt, attemptOf, type Death, type Headers, readDeaths } from './retry/attempt.ts';
export { Breaker, type BreakerOptions, type BreakerState } from './retry/breaker.ts';
export { crashesOf, type Evidence, type Standing, standingOf } from './retry/crashes.ts';
export { CAUSE_HEADER, DEATH_CAUSES, type DeathCause, deathCause } from './retry/deathCause.ts';
export { type Arrival, eligibleAtMs } from './retry/eligible.ts';
export { type Entry, entryOf } from './retry/entry.ts';
export { type NextStep, nextStep } from './retry/nextStep.ts';
export {
  errorClass,
  type HandlerAnswer,
  InvalidOutcome,
  type Outcome,
  type OutcomeType,
  outcomeOfThrow,
} from './retry/outcome.ts';
