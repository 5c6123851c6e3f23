/** A plan as nodes and edges, for charts. */
import {
  type BindingPlan,
  deathReasons,
  type ExchangePlan,
  formatDuration,
  type PlannedKind,
  parkExchange,
  type QueuePlan,
  retryExchange,
  SPREAD_HEADER,
  type TopologyPlan,
} from '@fit/topology';
import { requeueDelayMs } from '@fit/topology/testing';

/** An exchange, a queue, or the workers of a kind. */
export interface GraphNode {
  /** Letters, digits and underscores; derived from the name alone, so that a small change of the plan changes few lines. */
  readonly id: string;
  readonly shape: 'exchange' | 'queue' | 'worker';
  readonly name: string;
  /** Type of an exchange, wait of a wait queue, time to live of a main queue; otherwise empty. */
  readonly detail: string;
  /** Undefined for objects that all kinds share. */
  readonly kind: string | undefined;
}

/** An arrow between two nodes, named by their ids. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** One for each binding, or for each reason of a death. */
  readonly labels: readonly string[];
  /** True for an alternate exchange, and for messages that a worker publishes in place of another. */
  readonly isFallback: boolean;
}

export interface TopologyGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

type Shape = GraphNode['shape'];

/** @returns every exchange, queue and binding of the plan once, and a worker per kind. */
export function topologyGraph(plan: TopologyPlan): TopologyGraph {
  return {
    nodes: [
      ...plan.exchanges.map((exchange) => exchangeNode(plan, exchange)),
      ...plan.queues.map(queueNode),
      ...plan.kinds.map(workerNode),
    ],
    edges: mergeParallel([
      ...plan.bindings.map(bindingEdge),
      ...plan.exchanges.flatMap(alternateEdge),
      ...plan.queues.flatMap(deathEdges),
      ...plan.queues.flatMap(delayedRetryEdge),
      ...plan.kinds.flatMap(workerEdges),
    ]),
  };
}

/**
 * Two names never share an id: a dot becomes two underscores, and any other character its code between two. The prefix
 * keeps an id from being a keyword of the chart language.
 */
function idOf(shape: Shape, name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9]/g, (character) =>
    character === '.' ? '__' : `_${character.codePointAt(0)?.toString(16) ?? ''}_`,
  );
  return `${shape}_${safe}`;
}

function exchangeNode({ bindings, queues }: TopologyPlan, exchange: ExchangePlan): GraphNode {
  const { name, type } = exchange;
  const bound = bindings.filter((binding) => binding.exchange === name).map(({ queue }) => queue);
  const kinds = new Set(
    queues.filter((queue) => bound.includes(queue.name)).map(({ kind }) => kind),
  );
  const [kind] = type === 'topic' ? [] : kinds;
  return { id: idOf('exchange', name), shape: 'exchange', name, detail: type, kind };
}

function queueNode({ name, role, kind, ttlMs }: QueuePlan): GraphNode {
  const time = ttlMs === undefined ? '' : formatDuration(ttlMs);
  const lifetime = time === '' ? '' : `expires after ${time}`;
  const detail = role === 'wait' && time !== '' ? `waits ${time}` : lifetime;
  return { id: idOf('queue', name), shape: 'queue', name, detail, kind };
}

function workerNode({ kind }: PlannedKind): GraphNode {
  return { id: idOf('worker', kind), shape: 'worker', name: `${kind} worker`, detail: '', kind };
}

function bindingEdge({ exchange, queue, key, arguments: headers }: BindingPlan): GraphEdge {
  const reason = headers['x-last-death-reason'] ?? headers['x-first-death-reason'];
  const label = reason ?? headers[SPREAD_HEADER] ?? (key || 'all');
  return edge(idOf('exchange', exchange), idOf('queue', queue), label);
}

function alternateEdge({ name, alternate }: ExchangePlan): GraphEdge[] {
  if (alternate === undefined) return [];
  return [
    {
      ...edge(idOf('exchange', name), idOf('exchange', alternate), 'no other match'),
      isFallback: true,
    },
  ];
}

function deathEdges(queue: QueuePlan): GraphEdge[] {
  const exchange = queue.arguments['x-dead-letter-exchange'];
  if (exchange === undefined) return [];
  const key = queue.arguments['x-dead-letter-routing-key'];
  const reasons = deathReasons(queue);
  const labels = key === undefined ? reasons : [`then as ${key}`];
  const [from, to] = [idOf('queue', queue.name), idOf('exchange', String(exchange))];
  return [{ from, to, labels, isFallback: false }];
}

/** A queue with delayed retry holds a requeued message back by itself, longer each time. */
function delayedRetryEdge(queue: QueuePlan): GraphEdge[] {
  const longestMs = Number(queue.arguments['x-delayed-retry-max'] ?? 0);
  if (longestMs === 0) return [];
  const delays: number[] = [];
  do delays.push(requeueDelayMs(queue, delays.length + 1));
  while ((delays.at(-1) ?? 0) < longestMs && (delays.at(-1) ?? 0) > 0);
  const id = idOf('queue', queue.name);
  return [edge(id, id, `fails: held back ${delays.map(formatDuration).join(', ')}`)];
}

/** Messages that a worker publishes in place of another; its answers to the broker lead to edges of the queue. */
function workerEdges({ kind, queue, backend }: PlannedKind): GraphEdge[] {
  const worker = idOf('worker', kind);
  const park = idOf('exchange', parkExchange(queue));
  const retry = edge(worker, idOf('exchange', retryExchange(queue)), 'a later tier');
  return [
    edge(idOf('queue', queue), worker, 'delivered'),
    { from: worker, to: park, labels: ['fatal', 'malformed'], isFallback: true },
    ...(backend === 'tiers' ? [{ ...retry, isFallback: true }] : []),
  ];
}

function edge(from: string, to: string, label: string): GraphEdge {
  return { from, to, labels: [label], isFallback: false };
}

/** @returns one edge with several labels in place of parallel edges. */
function mergeParallel(edges: readonly GraphEdge[]): GraphEdge[] {
  const groups = Map.groupBy(edges, ({ from, to, isFallback }) => `${from} ${to} ${isFallback}`);
  return [...groups.values()].flatMap(([first, ...rest]) =>
    first === undefined
      ? []
      : [{ ...first, labels: [first, ...rest].flatMap(({ labels }) => labels) }],
  );
}
