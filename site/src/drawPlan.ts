/** Charts of a plan as SVG. They are laid out by Graphviz from the plan itself, so they cannot differ from it. */

import { formatDuration, planTopology, type Topology, type TopologyPlan } from '@fit/topology';
import { explainPath, type GraphNode, topologyGraph } from '@fit/topology-cli/drawing';
import { Graphviz } from '@hpcc-js/wasm-graphviz';

/** The newest release that plans differ for. */
const BROKER = { version: '4.3.6', hasManagement: true };

/** A text in a chart, and a class that the style sheet of the site colours. */
interface Node {
  readonly id: string;
  readonly label: string;
  readonly shape: 'queue' | 'exchange' | 'worker';
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly isDashed: boolean;
}

/** @returns every exchange, queue and binding of a topology. */
export async function drawEverything(topology: Topology): Promise<string> {
  const graph = topologyGraph(planOf(topology));
  const nodes = graph.nodes.map((node) => ({ ...node, label: labelOf(node) }));
  const edges = graph.edges.map(({ from, to, labels, isFallback }) => ({
    from,
    to,
    label: labels.join('\n'),
    isDashed: isFallback,
  }));
  return await svgOf('every exchange, queue and binding', 'TB', nodes, edges);
}

/** @returns the way of one message whose every attempt fails: queues and waits, without the exchanges between them. */
export async function drawRetries(topology: Topology, queue: string): Promise<string> {
  const plan = planOf(topology);
  const kind = plan.kinds.find((candidate) => candidate.kind === queue);
  if (kind === undefined) throw new RangeError(`'${queue}' is none of the queues`);
  const rejections = Array.from({ length: kind.tiersMs.length + 1 }, () => ({
    type: 'retry' as const,
  }));
  const { steps, end } = explainPath(plan, queue, rejections);
  const waits = steps.filter(({ durationMs }) => durationMs > 0);
  if (end.type !== 'dead') throw new Error(`a message that always fails ends as ${end.type}`);
  const main = { id: 'main', label: kind.queue, shape: 'queue' as const };
  const worker = { id: 'worker', label: 'worker', shape: 'worker' as const };
  const dead = { id: 'dead', label: end.queue, shape: 'queue' as const };
  return await svgOf(
    'the way of a message whose every attempt fails',
    'LR',
    [
      { id: 'exchange', label: topology.exchange, shape: 'exchange' },
      main,
      worker,
      ...waits.map(({ place, durationMs }, index) => ({
        id: `wait${index + 1}`,
        label: `${place}\nwaits ${formatDuration(durationMs)}`,
        shape: 'queue' as const,
      })),
      dead,
    ],
    [
      edge('exchange', 'main', kind.key),
      edge('main', 'worker', 'attempts'),
      ...waits.flatMap((_, index) => [
        edge('main', `wait${index + 1}`, `attempt ${index + 1} fails`),
        { ...edge(`wait${index + 1}`, 'main', `for attempt ${index + 2}`), isDashed: true },
      ]),
      edge('main', 'dead', `attempt ${waits.length + 1} fails`),
    ],
  );
}

function planOf(topology: Topology): TopologyPlan {
  return planTopology(topology.declaration, BROKER);
}

function labelOf({ name, detail }: GraphNode): string {
  return detail === '' ? name : `${name}\n${detail}`;
}

function edge(from: string, to: string, label: string): Edge {
  return { from, to, label, isDashed: false };
}

const SHAPES = { queue: 'cylinder', exchange: 'hexagon', worker: 'box' } as const;

async function svgOf(
  title: string,
  direction: 'TB' | 'LR',
  nodes: readonly Node[],
  edges: readonly Edge[],
): Promise<string> {
  const graphviz = await Graphviz.load();
  const dot = [
    'digraph {',
    `  graph [rankdir=${direction}, bgcolor=transparent, nodesep=0.3, ranksep=0.6]`,
    '  node [fontname="Helvetica", fontsize=12, margin="0.25,0.08"]',
    '  edge [fontname="Helvetica", fontsize=10]',
    ...nodes.map(
      ({ id, label, shape }) =>
        `  ${quoted(id)} [label=${quoted(label)}, shape=${SHAPES[shape]}, class=${shape}]`,
    ),
    ...edges.map(
      ({ from, to, label, isDashed }) =>
        `  ${quoted(from)} -> ${quoted(to)} [label=${quoted(label)}, style=${isDashed ? 'dashed' : 'solid'}]`,
    ),
    '}',
  ].join('\n');
  const svg = graphviz.dot(dot);
  // The page is one document: without the declaration of XML, in one line so that Markdown leaves it alone.
  const image = svg
    .slice(svg.indexOf('<svg'))
    .replaceAll(/<!--.*?-->|<title>.*?<\/title>/gs, '')
    .replaceAll('\n', ' ');
  const labelled = image.replace('<svg ', `<svg role="img" aria-label="${title}" `);
  // A chart keeps its size, and a wide one is scrolled: scaled down, its texts could not be read.
  return `<div class="plan">${labelled}</div>`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
