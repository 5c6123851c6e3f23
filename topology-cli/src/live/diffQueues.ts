/** Queues: missing, of another identity, of tiers that are no longer declared, or read by somebody who should not. */

import type { QueuePlan, TopologyPlan } from '@fit/topology';
import { formatDuration } from '@fit/topology';
import {
  canonicalText,
  formerWaitQueues,
  type LiveQueue,
  type LiveTopology,
} from '@fit/topology/management';
import type { Difference } from './difference.ts';

export function diffQueues(plan: TopologyPlan, live: LiveTopology): Difference[] {
  const old = formerWaitQueues(plan, live).map(({ queue }) => queue);
  const planned = plan.queues.flatMap((queue) => {
    const found = live.queues.find(({ name }) => name === queue.name);
    if (found === undefined) return [missing(queue)];
    return [...differing(queue, found), ...(queue.role === 'wait' ? consumed(found) : [])];
  });
  return [...planned, ...old.map(outdated), ...old.flatMap(consumed)];
}

function missing({ name, arguments: planned }: QueuePlan): Difference {
  const remedy = 'declare it: topology apply';
  return { code: 'QUEUE_MISSING', subject: name, planned, remedy, fixedBy: 'apply' };
}

/**
 * Never mended by `apply`, even where the queue looks empty: main would have to be unbound first, and meanwhile every
 * publish is returned. The names of wait queues carry their time to live, so other tiers are other queues anyway.
 */
function differing(planned: QueuePlan, found: LiveQueue): Difference[] {
  const wanted = identity({ ...planned, isDurable: true, isAutoDelete: false });
  const actual = identity(found);
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(actual)])].filter(
    (name) => canonicalText(wanted[name]) !== canonicalText(actual[name]),
  );
  if (names.length === 0) return [];
  return [
    {
      code: 'QUEUE_ARGUMENTS_DIFFER',
      subject: found.name,
      planned: Object.fromEntries(names.map((name) => [name, wanted[name] ?? null])),
      live: Object.fromEntries(names.map((name) => [name, actual[name] ?? null])),
      remedy: `${names.join(', ')} cannot be changed: declare another queue name or use another virtual host, and let the workers of the old one empty it; or stop publishers and workers, and once it is empty (messages and messages_dlx are 0) delete it and run topology apply; never delete it while it holds messages`,
      fixedBy: 'hand',
    },
  ];
}

function identity(
  queue: Pick<LiveQueue, 'arguments' | 'isDurable' | 'isAutoDelete'>,
): Readonly<Record<string, unknown>> {
  return { ...queue.arguments, durable: queue.isDurable, 'auto-delete': queue.isAutoDelete };
}

function outdated({ name, messageCount, arguments: settings }: LiveQueue): Difference {
  const ttlMs = settings['x-message-ttl'];
  const wait = typeof ttlMs === 'number' ? `, at most ${formatDuration(ttlMs)}` : '';
  return {
    code: 'QUEUE_OLD',
    subject: name,
    ...(messageCount === undefined ? {} : { live: { messageCount } }),
    remedy: `of tiers that are no longer declared: its messages come back by themselves${wait}; then delete it: topology drain`,
    fixedBy: 'drain',
  };
}

function consumed({ name, consumerCount }: LiveQueue): Difference[] {
  if (consumerCount === 0) return [];
  return [
    {
      code: 'CONSUMER_ON_WAIT',
      subject: name,
      planned: { consumerCount: 0 },
      live: { consumerCount },
      remedy: `what it takes never comes back to be tried again: find it by rabbitmqctl list_consumers, and stop it`,
      fixedBy: 'hand',
    },
  ];
}
