/**
 * Goal: while something that a handler needs is down, no attempt is spent and no message is lost or kept for ever. Method: a
 * simulated outage of hours, and a worker on a real broker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { createWorker, defineTopology, hold, retry } from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';
import { openConnected } from '../support/openConnected.ts';

class ServiceDown extends Error {}

const MAIL = defineTopology({
  exchange: 'mail',
  messages: { mail: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['mail'], retry: { delays: ['50ms', '100ms'] } } },
});

for (const breaker of [undefined, false] as const)
  test(`an outage of five hours spends no attempt of 40 messages, ${breaker === false ? 'also without a breaker' : 'and one at a time is tried'}`, async () => {
    const outageMs = 5 * 3_600_000;
    const attempts: string[] = [];
    let tryCount = 0;
    const simulation = simulate(MAIL, {
      handlers: {
        outbox: {
          ...(breaker === undefined ? {} : { breaker }),
          handler: ({ body, attempt }) => {
            tryCount += 1;
            if (simulation.now < outageMs) return hold(new ServiceDown('mail server'));
            attempts.push(`${body.to} ${attempt.number}`);
            // A failure of its own after the outage counts as ever.
            return body.to === 'odd' && attempt.number === 1 ? retry(new Error('odd')) : undefined;
          },
        },
      },
    });
    const to = ['odd', ...Array.from({ length: 39 }, (_, index) => `m${index}`)];
    for (const one of to) await simulation.publish('mail', { to: one });
    await simulation.advance('5h');
    assert.ok(tryCount < 10 + 5 * 60 + 10, `${tryCount} tries`);
    await simulation.advance('5m');
    assert.deepEqual(attempts.sort(), [...to.map((one) => `${one} 1`), 'odd 2'].sort());
    assert.deepEqual(simulation.deadLetters('outbox'), []);
  });

test('a held message is handed in again when its service is up; a stop gives held messages back at once', async (t) => {
  const { publisher, events, on, expectReady } = await openConnected(t, MAIL);
  const state = { isUp: false };
  const done: string[] = [];
  const open = () =>
    createWorker({
      ...on,
      queue: 'outbox',
      concurrency: 5,
      breaker: { pause: '20ms' },
      onError: (error) => (error instanceof ServiceDown ? hold(error) : undefined),
      handler: async ({ id, attempt }) => {
        await Promise.resolve();
        if (!state.isUp) throw new ServiceDown('mail server');
        done.push(`${id} ${attempt.number}`);
      },
    });
  const ids = Array.from({ length: 30 }, (_, index) => `m${index}`);
  for (const id of ids) await publisher.publish('mail', { to: id }, { id });
  const breakers = () => events.filter((event) => event.type === 'breaker');
  const first = await open();
  const untilTold = async (count: number) => {
    await eventually(() => breakers().length >= count, {
      describe: () => JSON.stringify(breakers()),
    });
  };
  await untilTold(6);
  assert.ok(first.inFlight > 0);
  const report = await first.stop();
  assert.equal(report.finished, 0);
  await expectReady('outbox', ids.length);

  const toldCount = breakers().length;
  const second = await open();
  await untilTold(toldCount + 3);
  await second.pause();
  await eventually(() => second.inFlight === 0, { describe: () => `${second.inFlight} in flight` });
  await expectReady('outbox', ids.length);
  await second.resume();
  state.isUp = true;
  await eventually(() => done.length === ids.length, {
    describe: () => `${done.length} done, ${JSON.stringify(breakers().slice(-3))}`,
  });
  assert.deepEqual(done.sort(), ids.map((id) => `${id} 1`).sort());
  assert.equal(breakers().at(-1)?.state, 'closed');
  assert.deepEqual(
    events.filter(({ type }) => type === 'deadLettered'),
    [],
  );
});
