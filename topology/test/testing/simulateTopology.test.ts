/** Goal: a typed topology is simulated with the rules of `createWorker` and `createPublisher`. Method: messages whose ways are known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineTopology, type Outcome, PublishError, reject, type Thenable } from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import type { SimulatedBroker } from '../../src/testing/simulatedBroker.ts';

const shop = defineTopology({
  exchange: 'shop',
  messages: {
    'order.paid': z.object({ id: z.string() }),
    'order.sent': z.object({ id: z.string() }),
  },
  queues: {
    mail: { on: ['order.*'], retry: { immediate: 1, delays: ['5s', '30s'] }, maxLength: 1 },
    audit: { on: ['order.paid'], retry: { delays: ['1s'] }, adopt: 'old-audit' },
  },
});

test('each queue has its own attempts; immediate repeats come before the first wait, and onError decides', async () => {
  const seen: string[] = [];
  const simulation = simulate(shop, {
    handlers: {
      mail: {
        handler: ({ type, body, attempt }) => {
          seen.push(`${type} ${body.id} ${attempt.number} of ${attempt.of} at ${simulation.now}`);
          throw new Error('busy');
        },
      },
      audit: {
        handler: () => {
          throw new RangeError('full');
        },
        onError: (error) => (error instanceof RangeError ? reject(error) : undefined),
      },
    },
  });
  const { id } = await simulation.publish('order.paid', { id: '7' });
  await simulation.settle();
  assert.deepEqual(seen, [
    'order.paid 7 1 of 4 at 0',
    'order.paid 7 2 of 4 at 0',
    'order.paid 7 3 of 4 at 5000',
    'order.paid 7 4 of 4 at 35000',
  ]);
  const causes = (queue: 'mail' | 'audit') =>
    simulation.deadLetters(queue).map((one) => [one.id, one.cause, one.error]);
  assert.deepEqual(causes('mail'), [[id, 'exhausted', 'busy']]);
  assert.deepEqual(causes('audit'), [[id, 'fatal', 'full']]);
});

test('settle may answer by an object that calls back', async () => {
  const simulation = simulate(shop, {
    handlers: {
      audit: {
        handler: () => undefined,
        settle: ({ attempt }): Thenable<Outcome<never>> => ({
          then: (onValue, onError) => {
            if (attempt.number === 1) onError(new Error('not stored'));
            else onValue(reject(new Error('refused')));
          },
        }),
      },
    },
  });
  const { id } = await simulation.publish('order.paid', { id: '7' });
  await simulation.settle();
  assert.equal(simulation.now, 1_000);
  assert.deepEqual(
    simulation.deadLetters('audit').map((one) => [one.id, one.cause, one.error]),
    [[id, 'malformed', 'refused']],
  );
});

test('a publish is refused as by a publisher: an invalid body, an unknown name, a full queue', async () => {
  const simulation = simulate(shop, { handlers: {} });
  const codeOf = async (publish: Promise<unknown>) =>
    await publish.then(
      () => 'confirmed',
      (error: unknown) => (error instanceof PublishError ? error.code : error),
    );
  const order = { id: '1' };
  // @ts-expect-error: the body has no id.
  assert.equal(await codeOf(simulation.publish('order.paid', {})), 'INVALID');
  // @ts-expect-error: there is no such message.
  assert.equal(await codeOf(simulation.publish('order.lost', order)), 'INVALID');
  const codes: unknown[] = [];
  for (let index = 0; index < 3; index += 1)
    codes.push(await codeOf(simulation.publish('order.sent', order)));
  assert.deepEqual(codes, ['confirmed', 'confirmed', 'QUEUE_FULL']);
  // @ts-expect-error: there is no such queue.
  assert.throws(() => simulation.deadLetters('inbox'), /'inbox' is none of the queues mail, audit/);
});

test('a crash spends no attempt, and a misspelt handler does not compile', async () => {
  const attempts: number[] = [];
  const simulation = simulate(shop, {
    handlers: {
      audit: {
        handler: async ({ attempt }) => {
          attempts.push(attempt.number);
          await simulation.sleep('10s');
        },
      },
    },
  });
  await simulation.publish('order.paid', { id: '1' });
  await simulation.advance('1s');
  simulation.crash('audit');
  await simulation.settle();
  assert.deepEqual([attempts, simulation.deadLetters('audit')], [[1, 1], []]);
  const handlers = { inbox: { handler: () => undefined } };
  // @ts-expect-error: there is no such queue.
  assert.throws(() => simulate(shop, { handlers }), /inbox/);
});

test('an immediate repeat ends with its attempt: none begins after the deadline', async () => {
  const quick = defineTopology({
    exchange: 'quick',
    messages: { ping: z.object({}) },
    queues: { pings: { on: ['ping'], retry: { immediate: 2, delays: ['5s'] }, deadline: '1s' } },
  });
  const begun: string[] = [];
  const simulation = simulate(quick, {
    handlers: {
      pings: {
        handler: async ({ attempt }) => {
          begun.push(`${attempt.number} at ${simulation.now}`);
          if (attempt.number > 1) return;
          await simulation.sleep('2s');
          throw new Error('too late');
        },
      },
    },
  });
  await simulation.publish('ping', {});
  await simulation.settle();
  assert.deepEqual(begun, ['1 at 0', '4 at 6000']);
});

test('a promise of another library is an answer, and a copy of a message has its signal', async () => {
  const attempts: number[] = [];
  const signals: unknown[] = [];
  const simulation = simulate(shop, {
    handlers: {
      audit: {
        handler: (message) => {
          const copy = { ...message };
          attempts.push(copy.attempt.number);
          signals.push(copy.signal);
          const answer = {
            then: (resolve: (outcome: undefined) => void) => {
              resolve(undefined);
            },
          };
          return answer as Promise<undefined>;
        },
      },
    },
  });
  await simulation.publish('order.paid', { id: '1' });
  await simulation.settle();
  assert.deepEqual(attempts, [1]);
  assert.ok(signals[0] instanceof AbortSignal);
});

test('a schema that checks later refuses as one that checks at once, and settle gets what it made', async () => {
  const validate = async (value: unknown): Promise<StandardSchemaV1.Result<string>> => {
    await Promise.resolve();
    if (value === 'never') return await new Promise(() => undefined);
    if (value === 'broken') throw new Error('no table');
    return value === 'wrong'
      ? { issues: [{ message: 'no word' }] }
      : { value: `${String(value)}!` };
  };
  const word: StandardSchemaV1<string, string> = {
    '~standard': { version: 1, vendor: 'test', validate },
  };
  const words = defineTopology({
    exchange: 'words',
    messages: { say: word },
    queues: { words: { on: ['say'], retry: { delays: ['5s'] }, deadline: '2s' } },
  });
  const said: unknown[] = [];
  const simulation = simulate(words, {
    handlers: {
      words: {
        handler: ({ body }) => {
          said.push(body);
        },
        settle: ({ message }) => {
          said.push(message.body);
        },
      },
    },
  });
  const publish = (body: string) =>
    // Past the publisher, which would refuse most of them.
    (simulation as unknown as { broker: SimulatedBroker }).broker.publish({
      exchange: 'words',
      key: 'say',
      id: body,
      body: Buffer.from(JSON.stringify(body)),
    });
  for (const body of ['hello', 'wrong', 'broken', 'never']) publish(body);
  await simulation.settle();
  assert.deepEqual(said, ['hello!', 'hello!']);
  assert.deepEqual(
    simulation.deadLetters('words').map(({ id, cause, error }) => [id, cause, error]),
    [
      ['wrong', 'malformed', "the body of 'say' is invalid: no word"],
      ['broken', 'malformed', 'no table'],
      ['never', 'malformed', 'no answer within 2000 ms'],
    ],
  );
});
