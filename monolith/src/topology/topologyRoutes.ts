/** The topology as a graph with live depths: exchanges, queues and workers as nodes, bindings and dead-letter paths as edges. */
import type { JobStores, ListedWorker } from '@fit/jobs/store';
import { defineRoute, READERS, type Route } from '@fit/service';
import { type Declaration, planTopology, type TopologyPlan } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { type QueueReport, QueueStatus } from '../queues/queueStatus.ts';
import { isGone } from '../workers/workerRoutes.ts';

const Node = Type.Object({
  /** Such as `queue:createWodQueue`; edges name it. */
  id: Type.String(),
  column: Type.Enum(['exchange', 'main', 'workers', 'wait', 'dlq']),
  name: Type.String(),
});
const Edge = Type.Object({
  from: Type.String(),
  to: Type.String(),
  /**
   * binding: an exchange routes messages to a queue. deadLetter: a queue hands messages on that were rejected, expired or overflowed.
   * alternate: an exchange hands on what none of its bindings matches. consume: a worker takes messages.
   */
  type: Type.Enum(['binding', 'deadLetter', 'alternate', 'consume']),
  /** Routing keys of a binding; of a headers exchange what it matches. */
  keys: Type.Array(Type.String()),
  /** Messages per second over the last minute, of a worker its equal share; null where the broker does not count them apart. */
  perSecond: Type.Union([Type.Number(), Type.Null()]),
});
const Graph = Type.Object({
  /** When the broker was asked; null before its first answer. */
  asOf: Type.Union([Type.String(), Type.Null()]),
  isStale: Type.Boolean(),
  /** In the order of the columns; wait queues by their delay. */
  nodes: Type.Array(
    Type.Intersect([
      Node,
      Type.Object({
        /** Of a queue. */
        queue: Type.Optional(QueueStatus),
        /** Of a worker: the jobs that it has in hand. */
        inHand: Type.Optional(Type.Integer()),
      }),
    ]),
  ),
  edges: Type.Array(Edge),
});
type Graph = Static<typeof Graph>;

export interface TopologyRouteParts {
  readonly declaration: Declaration;
  readonly stores: Pick<JobStores, 'workers' | 'clock'>;
  readonly status: { readonly board: { readQueues(): Promise<QueueReport> } };
}

/** Names, bindings and limits do not depend on the broker. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;
const WORKERS_SHOWN = 500;

export function topologyRoutes({ declaration, stores, status }: TopologyRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/topology'],
      access: READERS,
      summary: 'Read the topology with live depths',
      description:
        'The declaration as a graph: exchanges, main queues, workers, wait queues and dead-letter queues. All readers share what the process reads of the broker every five seconds.',
      tag: 'Queues',
      reply: Graph,
      handle: async () => {
        const [queues, workers] = await Promise.all([
          status.board.readQueues(),
          stores.workers.list('', WORKERS_SHOWN),
        ]);
        const now = stores.clock.now();
        const alive = workers.filter((worker) => !isGone(worker, now));
        return { body: topologyGraph(planTopology(declaration, ANY_BROKER), queues, alive) };
      },
    }),
  ];
}

/** No I/O. @param workers that live. */
export function topologyGraph(
  { exchanges, queues, bindings }: TopologyPlan,
  report: QueueReport,
  workers: readonly ListedWorker[],
): Graph {
  const statusOf = new Map(report.queues.map((queue) => [queue.name, queue]));
  const bySource = Map.groupBy(bindings, ({ exchange, queue }) => `${exchange}\n${queue}`);
  const consumersOf = Map.groupBy(workers, ({ queue }) => queue);
  const queueNodes = (role: 'main' | 'wait' | 'dlq') =>
    queues
      .filter((queue) => queue.role === role)
      .toSorted((one, other) => (one.ttlMs ?? 0) - (other.ttlMs ?? 0))
      .map(({ name }) => {
        const queue = statusOf.get(name);
        return {
          id: `queue:${name}`,
          column: role,
          name,
          ...(queue === undefined ? {} : { queue }),
        };
      });
  const bindingEdges = [...bySource.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const sources = new Set(
      bindings.filter(({ queue }) => queue === first.queue).map(({ exchange }) => exchange),
    );
    return {
      from: `exchange:${first.exchange}`,
      to: `queue:${first.queue}`,
      type: 'binding' as const,
      keys: same.map(({ key, arguments: args }) => key || JSON.stringify(args)),
      perSecond: sources.size === 1 ? (statusOf.get(first.queue)?.inPerSecond ?? null) : null,
    };
  });
  return {
    asOf: report.asOf,
    isStale: report.freshness.isStale,
    nodes: [
      ...exchanges.map(({ name }) => ({
        id: `exchange:${name}`,
        column: 'exchange' as const,
        name,
      })),
      ...queueNodes('main'),
      ...workers.map(({ _id, inHandCount }) => ({
        id: `worker:${_id}`,
        column: 'workers' as const,
        name: _id,
        inHand: inHandCount,
      })),
      ...queueNodes('wait'),
      ...queueNodes('dlq'),
    ],
    edges: [
      ...bindingEdges,
      ...exchanges.flatMap(({ name, alternate }) =>
        alternate === undefined
          ? []
          : edge(`exchange:${name}`, `exchange:${alternate}`, 'alternate'),
      ),
      ...queues.flatMap(({ name, arguments: args }) => {
        const next = args['x-dead-letter-exchange'];
        return next === undefined ? [] : edge(`queue:${name}`, `exchange:${next}`, 'deadLetter');
      }),
      ...workers.map(({ _id, queue }) => {
        const out = statusOf.get(queue)?.outPerSecond ?? null;
        const share = out === null ? null : out / (consumersOf.get(queue)?.length ?? 1);
        return { ...edge(`queue:${queue}`, `worker:${_id}`, 'consume'), perSecond: share };
      }),
    ],
  };
}

function edge<T extends Graph['edges'][number]['type']>(from: string, to: string, type: T) {
  return { from, to, type, keys: [], perSecond: null };
}
