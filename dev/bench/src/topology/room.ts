/** A virtual host of its own for one measurement, with the same topology for whichever side is measured in it. */
import { randomUUID } from 'node:crypto';
import type { Stack } from '@fit/stack';
import { declareTopology } from '@fit/topology';
import { assertTopology } from '@fit/topology/assert';
import { type ChannelModel, connect } from 'amqplib';
import { type Management, openManagement } from './management.ts';

export interface Room {
  readonly amqpUrl: string;
  /** A bare connection for whoever prepares and checks; what is measured opens its own. */
  readonly model: ChannelModel;
}

/** The first tier is the one whose lateness is measured; nothing comes to the second. */
export const TOPOLOGY = declareTopology({
  exchange: 'bench',
  kinds: {
    // Above any number of messages here: a full queue would nack, and that is another measurement.
    one: { key: 'bench.one', queue: 'one', tiers: ['1s', '2s'], maxLength: 10_000_000 },
  },
});

export const KIND = TOPOLOGY.kind.one;

/** Makes the room, lets `work` run in it, and removes it with all its queues, whatever happens. */
export async function withRoom<Result>(
  stack: Stack,
  work: (room: Room) => Promise<Result>,
): Promise<Result> {
  const management = openManagement(stack);
  const vhost = `bench-${randomUUID()}`;
  await makeVhost(management, vhost);
  try {
    const amqpUrl = new URL(`/${vhost}`, stack.amqpUrl).href;
    const model = await connect(amqpUrl, { noDelay: true });
    try {
      await assertTopology(model, TOPOLOGY, { amqpUrl, managementUrl: management.url });
      return await work({ amqpUrl, model });
    } finally {
      await model.close();
    }
  } finally {
    await management.ask('DELETE', `/api/vhosts/${vhost}`);
  }
}

async function makeVhost(management: Management, vhost: string): Promise<void> {
  await management.ask('PUT', `/api/vhosts/${vhost}`, {});
  const user = encodeURIComponent(management.user);
  await management.ask('PUT', `/api/permissions/${vhost}/${user}`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  });
}
