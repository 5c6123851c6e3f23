/** A simulation of a topology: for tests of a retry policy, and for tools that predict the path of a message. */
export {
  crashLimitOf,
  type MessageReturn,
  type RedeliveryMarks,
  requeueDelayMs,
} from './brokerRules.ts';
export { settleAs } from './settleAs.ts';
export {
  type SimulatedPublish,
  type SimulatedWorkerOptions,
  type Simulation,
  type SimulationOptions,
  simulate,
} from './simulate.ts';
export {
  type HistoryStep,
  type MessageState,
  SimulatedBroker,
  type SimulatedMessage,
  type SimulatedPublishResult,
} from './simulatedBroker.ts';
export type { SimulatedDeadLetter, SimulatedSystem, SystemOptions } from './simulatedSystem.ts';
export type {
  SimulatedHandler,
  TopologySimulation,
  TopologySimulationOptions,
} from './simulateTopology.ts';
export { VirtualClock } from './virtualClock.ts';
