/** The generated sections of documents, and what charts of another form are made of: a plan as a graph, and paths through it. */
export { type Explanation, explainPath } from '../simulate/explainPath.ts';
export { firstDifference, renderSections } from './documentSections.ts';
export {
  type GraphEdge,
  type GraphNode,
  type TopologyGraph,
  topologyGraph,
} from './topologyGraph.ts';
