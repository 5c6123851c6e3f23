/** Makes a broker equal to the plan: at each connect, and repeatedly while the connection is up. */
export { type AssertMode, type AssertOptions, assertTopology } from './assertTopology.ts';
export { TopologyMaintainer, type TopologyMaintainerOptions } from './topologyMaintainer.ts';
