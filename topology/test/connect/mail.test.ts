/** Goal: the first program of a stranger works as written. Method: the example of the README on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  reject,
} from '@fit/topology';
import { z } from 'zod';
import { readDeadLetters } from '../support/readDeadLetters.ts';

class NoSuchAddress extends Error {
  override readonly name = 'NoSuchAddress';
}

test('mails are sent, retried with their waits, and given up by class of error', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const sent: string[] = [];
  const attempts: number[] = [];
  const send = (to: string) => {
    if (to === 'nobody') throw new NoSuchAddress(to);
    if (to === 'twice' && attempts.length < 2) throw new Error('try again');
    sent.push(to);
  };

  const mail = defineTopology({
    exchange: 'mail',
    messages: { send: z.object({ to: z.string() }) },
    queues: { outbox: { on: ['send'], retry: { delays: ['50ms', '100ms', '200ms'] } } },
  });
  const rabbit = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => rabbit.close({ deadline: 0 }));
  await createWorker({
    connection: rabbit,
    topology: mail,
    queue: 'outbox',
    handler: ({ type, body, attempt }) => {
      assert.equal(type, 'send');
      assert.equal(attempt.of, 4);
      if (body.to === 'twice') attempts.push(attempt.number);
      send(body.to);
    },
    onError: (error) => (error instanceof NoSuchAddress ? reject(error) : undefined),
  });
  const publisher = await createPublisher({ connection: rabbit, topology: mail });
  for (const to of ['ann', 'nobody', 'twice']) await publisher.publish('send', { to });

  await eventually(() => sent.length === 2 && attempts.length === 2 && [...attempts], {
    describe: () => JSON.stringify({ sent, attempts }),
  });
  assert.deepEqual(attempts, [1, 2]);
  const [dead] = await readDeadLetters(amqpUrl, 'outbox.dead', 1);
  assert.deepEqual(JSON.parse(dead!.body.toString()), { to: 'nobody' });
  assert.equal(dead!.headers['death-cause'], 'fatal');
  assert.equal(dead!.headers['death-class'], 'NoSuchAddress');
  assert.equal(dead!.type, 'send');
  const { finished, returned } = await rabbit.close({ deadline: '20s' });
  assert.deepEqual([finished, returned], [0, 0]);
});
