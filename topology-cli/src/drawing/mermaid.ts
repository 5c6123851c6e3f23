/** A graph as a Mermaid flowchart: queues are cylinders, exchanges hexagons; several kinds are subgraphs. */
import type { Graph, GraphEdge, GraphNode } from './graph.ts';

/** @returns the text between the fences of a ```mermaid block. */
export function mermaid({ nodes, edges }: Graph): string {
  const kinds = new Set(nodes.flatMap(({ kind }) => kind ?? []));
  const shared = nodes.filter(({ kind }) => kinds.size < 2 || kind === undefined);
  return [
    'flowchart LR',
    ...shared.map((node) => `  ${nodeLine(node)}`),
    ...(kinds.size < 2 ? [] : [...kinds].flatMap((kind, index) => subgraph(nodes, kind, index))),
    ...edges.map((edge) => `  ${edgeLine(edge)}`),
  ].join('\n');
}

function subgraph(nodes: readonly GraphNode[], kind: string, index: number): string[] {
  const members = nodes.filter((node) => node.kind === kind);
  return [
    `  subgraph kind_${index + 1}["${escaped(kind)}"]`,
    ...members.map((node) => `    ${nodeLine(node)}`),
    '  end',
  ];
}

function nodeLine({ id, shape, name, detail }: GraphNode): string {
  const label = `"${[name, detail].filter(Boolean).map(escaped).join('<br/>')}"`;
  switch (shape) {
    case 'queue':
      return `${id}[(${label})]`;
    case 'exchange':
      return `${id}{{${label}}}`;
    case 'worker':
      return `${id}[${label}]`;
  }
}

function edgeLine({ from, to, labels, isFallback }: GraphEdge): string {
  const label = labels.map(escaped).join(', ');
  return isFallback ? `${from} -. "${label}" .-> ${to}` : `${from} -- "${label}" --> ${to}`;
}

/** Inside quotes Mermaid takes everything but quotes, its own entities, markup and Markdown. */
function escaped(text: string): string {
  return text.replaceAll(/[^\w .,:/()-]/g, (sign) => `#${sign.codePointAt(0) ?? 32};`);
}
