/** Makes a broker's objects equal to the plan: once at a connect, and again while a connection stands. */
export { type AssertOptions, assertTopology } from './assertTopology.ts';
export { TopologyMaintainer, type TopologyMaintainerOptions } from './topologyMaintainer.ts';
