/** A main queue that refuses, and what is kept out of it. */
import assert from 'node:assert/strict';
import type { Publisher } from '@fit/topology/amqp';
import type { TestTopology } from '../support/testTopology.ts';

/** Far above any limit in these tests: reject-publish is soft, but not endless. */
const FILL_AT_MOST = 200;

/** Publishes one after the other until the queue is full. @returns what the broker has confirmed until then. */
export async function fillToRefusal(
  environment: TestTopology,
  publisher: Publisher,
): Promise<string[]> {
  const confirmed: string[] = [];
  for (let index = 0; index < FILL_AT_MOST; index += 1) {
    const id = `fill${index}`;
    const result = await publisher.publish(environment.message(id));
    if (result === 'nacked') return confirmed;
    assert.equal(result, 'confirmed', id);
    confirmed.push(id);
  }
  assert.fail('never refused');
}

/** Expired, and not taken by the queue they return to; as the statistics have it, up to 10 s late. */
export async function awaitingTransferCount(
  environment: TestTopology,
  queue: string,
): Promise<number> {
  const { messages_dlx: count } = (await environment.ask(
    'GET',
    `/api/queues/${environment.vhost}/${queue}`,
  )) as {
    messages_dlx?: number;
  };
  return count ?? 0;
}
