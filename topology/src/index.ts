/** Declare a retry topology, plan it, prove it. Nothing here does I/O; `@fit/topology/amqp` does. */
export {
  declareTopology,
  type Declaration,
  type KindDeclaration,
  type KindOptions,
  type TopologyOptions,
} from './declaration/declareTopology.ts';
export { formatDuration, parseDurationMs, type Duration } from './declaration/duration.ts';
export { TopologyError, type Fault, type TopologyErrorCode } from './errors.ts';
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
export { attemptOf, readDeaths, type Attempt, type Death } from './retry/attempt.ts';
export { CAUSE_HEADER, DEATH_CAUSES, deathCause, type DeathCause } from './retry/deathCause.ts';
export { nextStep, type NextStep, type OutcomeType } from './retry/nextStep.ts';
