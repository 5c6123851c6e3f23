/** Declare a retry topology, plan it, prove it. Nothing here does I/O; `@fit/topology/amqp` does. */
export {
  type Declaration,
  declareTopology,
  type KindDeclaration,
  type KindOptions,
  type TopologyOptions,
} from './declaration/declareTopology.ts';
export { type Duration, formatDuration, parseDurationMs } from './declaration/duration.ts';
export { type Fault, TopologyError, type TopologyErrorCode } from './errors.ts';
export type { BrokerProfile } from './plan/brokerProfile.ts';
export { deadLetterQueue, parkExchange, returnExchange, tierKey } from './plan/names.ts';
export { planTopology } from './plan/planTopology.ts';
export type {
  BindingPlan,
  ExchangePlan,
  PolicyPlan,
  QueuePlan,
  QueueRole,
  TopologyPlan,
} from './plan/topologyPlan.ts';
export { provePlan } from './proof/provePlan.ts';
export { route } from './proof/route.ts';
export { type Attempt, attemptOf, type Death, readDeaths } from './retry/attempt.ts';
export { CAUSE_HEADER, DEATH_CAUSES, type DeathCause, deathCause } from './retry/deathCause.ts';
export { type NextStep, nextStep, type OutcomeType } from './retry/nextStep.ts';
