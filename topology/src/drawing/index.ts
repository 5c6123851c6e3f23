/** A topology drawn and explained, from its plan alone: charts, tables, and the way of one message. Pure. */
export { dot } from './dot.ts';
export { type Explanation, explain } from './explain.ts';
export { endingText, explanationText } from './explanationText.ts';
export { FATE_WORDS, type Fate, readFate } from './fate.ts';
export { type Graph, type GraphEdge, type GraphNode, graphOf } from './graph.ts';
export type { Ending, Step } from './journey.ts';
export { mermaid } from './mermaid.ts';
export { type Difference, firstDifference, renderSections, SECTIONS } from './sections.ts';
export { diagram, exchangeTable, queueTable, tierTable } from './tables.ts';
