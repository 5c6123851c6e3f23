/** Waits until nothing moves any more: a copy that went astray is still somewhere when its probe is over. */

import type { TopologyPlan } from '@fit/topology';
import type { TopologyAdmin } from '@fit/topology/amqp';
import { openTopologyAdmin } from '@fit/topology/amqp';
import type { Turn } from './scaleDeclaration.ts';

/** Messages that are left where nothing should be. */
export interface Leftover {
  readonly turn: Turn;
  readonly queue: string;
  readonly messageCount: number;
}

interface SilenceOptions {
  readonly amqpUrl: string;
  readonly turn: Turn;
  readonly plan: TopologyPlan;
  /** Between two looks. What it throws ends the wait. */
  readonly rest: () => Promise<void>;
}

const DEADLINE_MS = 1_500;

/** @returns what is left at the deadline. @throws TopologyError `BROKER_UNREACHABLE` */
export async function silence(options: SilenceOptions): Promise<Leftover[]> {
  const hand = await openTopologyAdmin(options.amqpUrl, 'topology verify');
  try {
    const deadline = performance.now() + DEADLINE_MS;
    for (let quietCount = 0; ; ) {
      const left = await leftovers(hand, options);
      quietCount = left.length === 0 ? quietCount + 1 : 0;
      // Twice, since between two queues a message is in none of them.
      if (quietCount === 2 || performance.now() > deadline) return left;
      await options.rest();
    }
  } finally {
    await hand.close();
  }
}

async function leftovers(hand: TopologyAdmin, { turn, plan }: SilenceOptions): Promise<Leftover[]> {
  // What fills a queue that nobody takes from stays there.
  const roles = turn === 'overflow' ? ['wait'] : ['wait', 'main'];
  const left: Leftover[] = [];
  for (const { name, role } of plan.queues) {
    const depth = roles.includes(role) ? await hand.depthOf(name) : undefined;
    const messageCount = depth?.readyCount ?? 0;
    if (messageCount > 0) left.push({ turn, queue: name, messageCount });
  }
  return left;
}
