/** A topology as a Mermaid flowchart: queues are cylinders, exchanges hexagons; each of several kinds is a subgraph. */
import type { GraphEdge, GraphNode, TopologyGraph } from './topologyGraph.ts';

/** @returns the text between the fences of a ```mermaid block. */
export function mermaidChart({ nodes, edges }: TopologyGraph): string {
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
    `  subgraph kind_${index + 1}["${escapeText(kind)}"]`,
    ...members.map((node) => `    ${nodeLine(node)}`),
    '  end',
  ];
}

function nodeLine({ id, shape, name, detail }: GraphNode): string {
  const label = `"${[name, detail].filter(Boolean).map(escapeText).join('<br/>')}"`;
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
  const label = labels.map(escapeText).join(', ');
  return isFallback ? `${from} -. "${label}" .-> ${to}` : `${from} -- "${label}" --> ${to}`;
}

/** Quotes, entities, markup and Markdown have a meaning inside Mermaid's quotes, so they are written as character codes. */
function escapeText(text: string): string {
  return text.replaceAll(/[^\w .,:/()-]/g, (character) => `#${character.codePointAt(0) ?? 32};`);
}
