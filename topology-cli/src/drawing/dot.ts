/** A graph in Graphviz's DOT language: queues are cylinders, exchanges hexagons; several kinds are clusters. */
import type { Graph, GraphEdge, GraphNode } from './graph.ts';

const SHAPES = { queue: 'cylinder', exchange: 'hexagon', worker: 'box' } as const;

/** @returns a digraph; `dot -Tsvg` draws it. */
export function dot({ nodes, edges }: Graph): string {
  const kinds = new Set(nodes.flatMap(({ kind }) => kind ?? []));
  const shared = nodes.filter(({ kind }) => kinds.size < 2 || kind === undefined);
  return [
    'digraph topology {',
    '  rankdir=LR;',
    ...shared.map((node) => `  ${nodeLine(node)}`),
    ...(kinds.size < 2 ? [] : [...kinds].flatMap((kind, index) => cluster(nodes, kind, index))),
    ...edges.map((edge) => `  ${edgeLine(edge)}`),
    '}',
  ].join('\n');
}

function cluster(nodes: readonly GraphNode[], kind: string, index: number): string[] {
  const members = nodes.filter((node) => node.kind === kind);
  return [
    `  subgraph cluster_${index + 1} {`,
    `    label=${quoted(kind)};`,
    ...members.map((node) => `    ${nodeLine(node)}`),
    '  }',
  ];
}

function nodeLine({ id, shape, name, detail }: GraphNode): string {
  const lines = [name, detail].filter(Boolean);
  return `${id} [shape=${SHAPES[shape]}, label=${quoted(...lines)}];`;
}

function edgeLine({ from, to, labels, isFallback }: GraphEdge): string {
  const style = isFallback ? ', style=dashed' : '';
  return `${from} -> ${to} [label=${quoted(...labels)}${style}];`;
}

/** Quotes and backslashes are escaped; the lines are centred under each other. */
function quoted(...lines: readonly string[]): string {
  const safe = lines.map((line) =>
    line.replaceAll(/["\\]/g, (sign) => `\\${sign}`).replaceAll(/\s/g, ' '),
  );
  return `"${safe.join('\\n')}"`;
}
